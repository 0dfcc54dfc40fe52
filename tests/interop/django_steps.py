# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the SQL that Django makes of a series of changes to models, as `manage.py sqlmigrate` does, and applies it.

Django is none of the project's packages. `tests.interop.steps` runs this with the Python of an environment that has
it, and with the database's address as the one argument.
"""

from __future__ import annotations

import json
import sys

import django
from django.conf import settings
from django.db import connection, migrations, models
from django.db.migrations.state import ProjectState

_TEXT, _NUMBER = models.CharField, models.IntegerField
STEPS = [
    [
        migrations.CreateModel(
            "Buyer",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("name", _TEXT(max_length=40)),
                ("phone", _TEXT(max_length=20, null=True)),
                ("score", _NUMBER(default=0, db_index=True)),
            ],
        ),
        migrations.CreateModel(
            "Order",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("buyer", models.ForeignKey("shop.buyer", models.CASCADE)),
                ("note", _TEXT(max_length=20, db_index=True)),
                ("at", models.DateField(null=True)),
            ],
        ),
    ],
    [
        migrations.CreateModel(
            "Tag",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("word", models.SlugField(unique=True)),
            ],
        )
    ],
    [migrations.AddField("buyer", "email", models.EmailField(null=True))],
    [migrations.AddField("buyer", "city", _TEXT(max_length=30, default=""))],
    [migrations.AddField("buyer", "level", _NUMBER(db_default=1))],
    [
        migrations.AddField(
            "order", "tag", models.ForeignKey("shop.tag", models.SET_NULL, null=True)
        )
    ],
    [
        migrations.AddField(
            "order", "tags", models.ManyToManyField("shop.tag", related_name="orders")
        )
    ],
    [migrations.AlterField("buyer", "name", _TEXT(max_length=80))],
    [migrations.AlterField("order", "note", _TEXT(max_length=60, db_index=True))],
    [migrations.AlterField("buyer", "phone", _TEXT(max_length=20, default=""))],
    [migrations.AlterField("buyer", "score", models.BigIntegerField(default=0, db_index=True))],
    [migrations.AlterField("buyer", "email", models.EmailField(null=True, unique=True))],
    [migrations.AlterField("buyer", "city", _TEXT(max_length=30, default="", null=True))],
    [migrations.AddIndex("order", models.Index(fields=["at", "note"], name="order_at"))],
    [
        migrations.AddConstraint(
            "buyer", models.CheckConstraint(condition=models.Q(score__gte=0), name="positive")
        )
    ],
    [
        migrations.AddConstraint(
            "order", models.UniqueConstraint(fields=["buyer", "id"], name="one_each")
        )
    ],
    [migrations.AlterField("buyer", "city", _TEXT(max_length=30, null=True, choices=[("a", "A")]))],
    [migrations.RenameIndex("order", new_name="order_when", old_name="order_at")],
    [migrations.RemoveConstraint("buyer", "positive")],
    [migrations.RemoveIndex("order", "order_when")],
    [migrations.RenameField("buyer", "city", "town")],
    [migrations.RemoveField("buyer", "town")],
    [migrations.AlterModelTable("tag", "labels")],
    [migrations.RunPython(migrations.RunPython.noop)],
    [migrations.RenameModel("Order", "Purchase")],
    [migrations.DeleteModel("Purchase")],
]


def main() -> None:
    host, port, name = sys.argv[1].split(":")
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": host,
        "PORT": port,
        "NAME": name,
        "USER": "postgres",
    }
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=[])
    django.setup()
    state, made = ProjectState(), []
    for operations in STEPS:
        migration = migrations.Migration("step", "shop")
        migration.operations = operations
        with connection.schema_editor(collect_sql=True, atomic=True) as editor:
            after = migration.apply(state.clone(), editor, collect_sql=True)
        made.append("\n".join(editor.collected_sql))
        with connection.schema_editor(atomic=True) as editor:
            migration.apply(state, editor)
        state = after
    json.dump({"version": django.get_version(), "steps": made}, sys.stdout)


if __name__ == "__main__":
    main()
