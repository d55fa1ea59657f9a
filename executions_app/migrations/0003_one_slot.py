"""One index for what a row takes of its document, where there were three."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents_app', '0001_initial'),
        ('executions_app', '0002_streams'),
    ]

    operations = [
        migrations.AddField(
            model_name='execution',
            name='coalesces',
            field=models.BooleanField(default=True, help_text='Whether edits join it while it waits.'),
        ),
        migrations.RunSQL(
            'UPDATE executions_app_execution SET coalesces = (coalesce_key IS NOT NULL)',
            'UPDATE executions_app_execution SET coalesce_key = subject WHERE coalesces',
        ),
        migrations.RemoveConstraint(
            model_name='execution',
            name='one_unstarted_per_document',
        ),
        migrations.RemoveConstraint(
            model_name='execution',
            name='one_running_per_document',
        ),
        migrations.RemoveIndex(
            model_name='execution',
            name='execution_subject',
        ),
        migrations.RemoveField(
            model_name='execution',
            name='coalesce_key',
        ),
        migrations.AddField(
            model_name='execution',
            name='slot',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(status='running', then=models.Value('running')), models.When(coalesces=True, status__in=['pending', 'queued'], then=models.Value('waiting')), models.When(status__in=['pending', 'queued'], then=models.F('id')), default=None), help_text='What the row takes of its subject while it is not at its end; no two rows have the same.', output_field=models.CharField(max_length=32, null=True)),
        ),
        migrations.AddConstraint(
            model_name='execution',
            constraint=models.UniqueConstraint(fields=('subject', 'slot'), name='one_waiting_and_one_running_per_document'),
        ),
    ]
