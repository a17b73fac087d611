"""Real servers for the tests."""

from servers import mariadb, mysql

if mysql.FOLDER:
    mariadb.MariaDB = mysql.MySQL  # type: ignore[misc]
