/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files, without a fuzzer: each file of each folder
 * that is named, and each file that is named itself. Every input has a
 * process of its own, so one that fails costs one, and does not hide the
 * next. The last line is `N passed, N failed`. */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
    size_t passed, failed;
};

static void fail(struct count *count, const char *path, const char *reason)
{
    count->failed++;
    printf("failed: %s: %s\n", path, reason);
}

/* The file in a block of exactly its size, so that a read behind the end is
 * seen; NULL: it cannot be read. */
static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    uint8_t *data = NULL;
    if (file != NULL && fstat(fileno(file), &st) == 0) {
        *size = (size_t)st.st_size;
        data = malloc(*size == 0 ? 1 : *size);
        if (data != NULL && fread(data, 1, *size, file) != *size) {
            free(data);
            data = NULL;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return data;
}

static void run_file(struct count *count, const char *path)
{
    size_t size;
    uint8_t *data = read_file(path, &size);
    if (data == NULL) {
        fail(count, path, "cannot be read");
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int result = LLVMFuzzerTestOneInput(data, size);
        free(data);
        exit(result == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    free(data);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        fail(count, path, "no process for it");
    } else if (WIFSIGNALED(status)) {
        fail(count, path, strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        fail(count, path, "exit status is not 0");
    } else {
        count->passed++;
    }
}

static void run_folder(struct count *count, const char *path, DIR *dir)
{
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        size_t size = strlen(path) + strlen(entry->d_name) + 2;
        char *file = malloc(size);
        if (file == NULL) {
            fail(count, entry->d_name, "out of memory");
            continue;
        }
        snprintf(file, size, "%s/%s", path, entry->d_name);
        run_file(count, file);
        free(file);
    }
}

int main(int argc, char **argv)
{
    struct count count = {0, 0};
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        if (dir == NULL) {
            run_file(&count, argv[i]);
        } else {
            run_folder(&count, argv[i], dir);
            closedir(dir);
        }
    }
    printf("%zu passed, %zu failed\n", count.passed, count.failed);
    return count.failed == 0 && count.passed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
