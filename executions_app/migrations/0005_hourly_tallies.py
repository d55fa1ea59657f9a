"""The figures of each hour, how far they are counted, and the index in whose order runs end."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents_app', '0001_initial'),
        ('executions_app', '0004_worker_slots'),
    ]

    operations = [
        migrations.CreateModel(
            name='HourTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('completed', models.BigIntegerField(default=0)),
                ('skipped', models.BigIntegerField(default=0)),
                ('failed', models.BigIntegerField(default=0)),
                ('within_slo', models.BigIntegerField(default=0, help_text='Completed runs that were quick enough.')),
                ('latency', models.JSONField(default=dict, help_text='Completed runs, from on record to their end.')),
                ('running', models.JSONField(default=dict, help_text='Completed runs, from their last claim to their end.')),
                ('waiting', models.JSONField(default=dict, help_text='Runs that were claimed, from due to their last claim.')),
                ('failures', models.JSONField(default=dict, help_text='Failed runs by the code of their error.')),
                ('skips', models.JSONField(default=dict, help_text='Skipped runs by their reason.')),
                ('model_calls', models.BigIntegerField(default=0)),
                ('tokens', models.BigIntegerField(default=0)),
                ('cost_nanousd', models.BigIntegerField(default=0, help_text='Of the calls whose price is known.')),
                ('unpriced_calls', models.BigIntegerField(default=0, help_text='Calls whose price is not known.')),
            ],
            options={
                'verbose_name': "hour's figures",
                'verbose_name_plural': 'figures by hour',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='TallyCursor',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('counted_time', models.DateTimeField(help_text='Ends up to this one, by time and id, are counted.')),
                ('counted_id', models.CharField(blank=True, max_length=32)),
                ('counted_call', models.BigIntegerField(default=0, help_text='Calls up to this id are counted.')),
                ('closing', models.DateTimeField(help_text='New ends are recorded with this time or a later one.')),
                ('closing_call', models.BigIntegerField(default=0, help_text='The last call when `closing` was announced.')),
                ('closing_transaction', models.BigIntegerField(default=0, help_text="PostgreSQL's number of the transaction that announced it.")),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.AddIndex(
            model_name='execution',
            index=models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['completed_at', 'id'], name='execution_ended'),
        ),
        migrations.AddField(
            model_name='hourtally',
            name='agent',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='agents_app.agent'),
        ),
        migrations.AddConstraint(
            model_name='hourtally',
            constraint=models.UniqueConstraint(fields=('hour', 'agent'), name='one_tally_per_hour_and_agent'),
        ),
    ]
