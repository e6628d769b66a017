"""Write the next migration from what changed in the records: `python -m modelyard.store.migrations.revise "what changed"`.

Read it before committing it, and add its number to REVISIONS.
"""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from modelyard.store import home
from modelyard.store.database import Database
from modelyard.store.migrate import upgrade
from modelyard.store.migrations import REVISIONS


def revise(message: str) -> None:
    """Compare the tables that the migrations make with the records, and write down the difference."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as directory:
        database = Database(home.parse(directory))
        with database.writing() as connection:
            written = sorted(path.stem[:4] for path in (here / "versions").glob("[0-9]*.py"))
            if written:
                upgrade(connection)
            config = Config()
            config.set_main_option("script_location", str(here).replace("%", "%%"))
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            config.attributes["connection"] = connection
            number = f"{int(written[-1]) + 1 if written else 1:04d}"
            command.revision(config, message, autogenerate=True, rev_id=number)
        database.close()
    print(f"known: {', '.join(REVISIONS)}; add {number}")


if __name__ == "__main__":
    revise(sys.argv[1])
