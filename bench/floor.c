/* Reads a query's rows with the C client and throws them away: HOST PORT USER PASSWORD DATABASE QUERY… */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

int main(int count, char **words) {
    MYSQL *server = mysql_init(NULL);
    if (count < 7 || !mysql_real_connect(server, words[1], words[3], words[4], words[5], atoi(words[2]), NULL, 0)) {
        fprintf(stderr, "%s\n", mysql_error(server));
        return 1;
    }
    long rows = 0;
    for (int i = 6; i < count; i++) {
        MYSQL_RES *result = mysql_query(server, words[i]) ? NULL : mysql_use_result(server);
        if (!result) return 1;
        while (mysql_fetch_row(result)) rows++;
        if (mysql_errno(server)) return 1;
        mysql_free_result(result);
    }
    printf("%ld\n", rows);
    mysql_close(server);
    return 0;
}
