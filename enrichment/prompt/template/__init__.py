"""The language of prompts: Jinja2 without its dangers to the worker.

Templates are written by operators, documents by anyone. A template reads fields and formats text; it reaches
no Python object, and what it may use of time and memory is bounded whatever the document holds:

1. `syntax` allows a list of constructs; macros, includes, blocks and recursion are none of them.
2. `rewrite` passes every loop, literal, comparison and attribute through a checkpoint that the author cannot
   name.
3. `operators`, `filters` and `methods` know the size of a result before they make it.
4. `meter` counts all of it for one rendering.
"""
