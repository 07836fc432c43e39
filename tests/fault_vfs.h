/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that breaks on demand, between SQLite and the real one. Once
 * installed it is the default of this process; it counts the *operations* on
 * database and log that change the disk: write, truncate, sync. */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdbool.h>

/* Makes it the default; once for each process is enough. */
void fault_vfs_install(void);

/* The n-th operation from now (1: the next) fails, and all behind it if
 * `sticky`. n 0: all go well again. */
void fault_vfs_fail(long n, bool sticky);

/* The n-th operation from now is the last thing that this process does: it
 * is not carried out, and the process ends by SIGKILL. */
void fault_vfs_die(long n);

/* Operations since the last fault_vfs_fail() or fault_vfs_die(). */
long fault_vfs_count(void);

#endif
