/* SPDX-License-Identifier: Apache-2.0 */
/* roam-bench ROAMD TEXT JSON: runs all benchmarks against that server
 * binary, with messages made of the words in the file TEXT, prints a table and
 * writes the same figures to the file JSON. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"

#define BODIES 4096
#define BODY_BYTES 128
#define WORD_MAX 24
#define WORDS_MAX 8192

static struct roam_slice bodies[BODIES];
static FILE *json;

void bench_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("roam-bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

double bench_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct roam_slice bench_body(uint64_t n)
{
    return bodies[n % BODIES];
}

/* A small generator: the same bodies in every run. */
static uint32_t draw(uint32_t below)
{
    static uint64_t state = 20200101;

    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* Words drawn as often as the chat uses them, joined to the length that
 * short messages have. No line comes twice, as a chat's own lines would when
 * there are fewer of them than messages. */
static size_t make_body(char *out, char *const words[], uint32_t count)
{
    size_t want = 20 + draw(60);
    size_t len = 0;

    while (len < want) {
        len += (size_t)snprintf(out + len, WORD_MAX + 2, "%s%s",
                                len == 0 ? "" : " ", words[draw(count)]);
    }
    return len;
}

static uint32_t take_words(char **words, uint32_t count, char *said)
{
    for (char *w = strtok(said, " \r\n"); w != NULL && count < WORDS_MAX;
         w = strtok(NULL, " \r\n")) {
        if (strlen(w) <= WORD_MAX && (words[count] = strdup(w)) != NULL) {
            count++;
        }
    }
    return count;
}

/* Lines are `WHO: TEXT`. */
double bench_bodies_read(const char *path)
{
    char line[1024];
    static char *words[WORDS_MAX];
    static char made[BODIES][BODY_BYTES];
    FILE *f = fopen(path, "r");
    uint32_t count = 0;
    size_t total = 0;

    if (f == NULL) {
        bench_die("%s cannot be read", path);
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        char *said = strstr(line, ": ");

        if (said != NULL && line[0] != '#') {
            count = take_words(words, count, said + 2);
        }
    }
    fclose(f);
    if (count < 100) {
        bench_die("%s has too few words", path);
    }
    for (int i = 0; i < BODIES; i++) {
        size_t len = make_body(made[i], words, count);

        bodies[i] = (struct roam_slice){(const uint8_t *)made[i], len};
        total += len;
    }
    return (double)total / BODIES;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_quantile(double *values, size_t count, double share)
{
    size_t at = (size_t)((double)count * share);

    qsort(values, count, sizeof(values[0]), compare);
    return values[at < count ? at : count - 1];
}

void bench_result(const char *name, double value, const char *unit,
                  const char *goal)
{
    static const char *comma = "";

    printf("%-48s %12.2f %-9s %s\n", name, value, unit,
           goal == NULL ? "" : goal);
    fflush(stdout);
    fprintf(json, "%s\n  {\"name\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"",
            comma, name, value, unit);
    if (goal != NULL) {
        fprintf(json, ", \"goal\": \"%s\"", goal);
    }
    fputc('}', json);
    comma = ",";
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (argc != 4) {
        bench_die("usage: roam-bench ROAMD TEXT JSON");
    }
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    json = fopen(argv[3], "w");
    if (json == NULL) {
        bench_die("%s cannot be written", argv[3]);
    }
    fputc('[', json);
    printf("%-48s %12s %-9s %s\n", "", "figure", "", "goal");
    bench_result("bodies, average length", bench_bodies_read(argv[2]), "bytes",
                 NULL);
    bench_sends(argv[1]);
    bench_latency(argv[1]);
    bench_catch_up(argv[1]);
    bench_group(argv[1]);
    bench_logins(argv[1]);
    bench_idle(argv[1]);
    fputs("\n]\n", json);
    fclose(json);
    return 0;
}
