/* Turns each text area with data-check into an editor and shows what is wrong with its text beside the lines.
   Where this script does not run, the text area stays as it is and the server says the same after submitting. */
"use strict";

(() => {
  const PAUSE_MS = 700; // after the last key, before the text is checked

  class Editor {
    constructor(area) {
      this.area = area;
      this.asked = 0;
      this.marked = [];
      this.mirror = CodeMirror.fromTextArea(area, {
        mode: "yaml",
        lineNumbers: true,
        lineWrapping: false,
        tabSize: 2,
        indentUnit: 2,
        viewportMargin: 200,
        inputStyle: "contenteditable",
        spellcheck: false,
        extraKeys: {
          Tab: (mirror) =>
            mirror.somethingSelected() ? mirror.indentSelection("add") : mirror.replaceSelection("  ", "end"),
          "Shift-Tab": (mirror) => mirror.indentSelection("subtract"),
          // The way out for those who use no mouse: Tab belongs to the text.
          Esc: (mirror) => mirror.getInputField().blur(),
        },
      });
      const frame = document.createElement("div");
      frame.className = area.rows < 20 ? "mc-editor mc-editor-small" : "mc-editor";
      this.mirror.getWrapperElement().replaceWith(frame);
      frame.append(this.mirror.getWrapperElement());
      this.mirror.getInputField().setAttribute("aria-label", "YAML");
      this.findings = document.createElement("ul");
      this.findings.className = "mc-findings";
      this.findings.setAttribute("aria-live", "polite");
      frame.append(this.findings);
      // It cannot measure itself while it is folded away.
      this.area.closest("details")?.addEventListener("toggle", () => this.mirror.refresh());
      this.mirror.refresh();
      this.mirror.on("change", () => this.checkSoon());
      this.check();
    }

    checkSoon() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.check(), PAUSE_MS);
    }

    async check() {
      const question = ++this.asked;
      const body = new FormData();
      body.set("text", this.mirror.getValue());
      const token = this.area.form.querySelector("[name=csrfmiddlewaretoken]");
      let answer;
      try {
        const response = await fetch(this.area.dataset.check, {
          method: "POST", body, headers: { "X-CSRFToken": token ? token.value : "" },
        });
        if (!response.ok) throw new Error(String(response.status));
        answer = await response.json();
      } catch {
        answer = { problems: [], warnings: [], failed: true };
      }
      if (question === this.asked) this.show(answer);
    }

    show({ problems, warnings, failed }) {
      this.mirror.operation(() => {
        for (const { widget, line } of this.marked) {
          widget.clear();
          this.mirror.removeLineClass(line, "background", "mc-problem-line");
        }
        this.marked = problems.filter((problem) => problem.line !== null).map((problem) => this.mark(problem));
      });
      const listed = [
        ...problems.map((problem) => this.listed(problem)),
        ...warnings.map((text) => item("mc-remark", `Warning: ${text}`)),
      ];
      if (failed) listed.push(item("mc-remark", "Not checked: the server does not answer."));
      else if (!problems.length) listed.unshift(item("mc-remark", "No problems found."));
      this.findings.replaceChildren(...listed);
    }

    mark(problem) {
      const line = Math.min(problem.line, this.mirror.lineCount()) - 1;
      const note = document.createElement("div");
      note.className = "mc-problem";
      note.textContent = words(problem);
      const widget = this.mirror.addLineWidget(line, note);
      return { widget, line: this.mirror.addLineClass(line, "background", "mc-problem-line") };
    }

    listed(problem) {
      const entry = item("mc-bad", words(problem));
      if (problem.line === null) return entry;
      const link = document.createElement("button");
      link.type = "button";
      link.textContent = `line ${problem.line}`;
      link.addEventListener("click", () => {
        this.mirror.focus();
        this.mirror.setCursor(problem.line - 1, (problem.column ?? 1) - 1);
      });
      entry.append(" (", link, ")");
      return entry;
    }
  }

  const words = ({ path, message }) => (path ? `${path}: ${message}` : message);

  const item = (kind, text) => {
    const entry = document.createElement("li");
    entry.className = kind;
    entry.textContent = text;
    return entry;
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const area of document.querySelectorAll("textarea[data-check]")) new Editor(area);
  });
})();
