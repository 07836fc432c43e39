/* SPDX-License-Identifier: Apache-2.0 */
#include "serial.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "text.h"

static const struct {
    uint32_t baud;
    speed_t speed;
} speeds[] = {{9600, B9600},     {19200, B19200},   {38400, B38400},
              {57600, B57600},   {115200, B115200}, {230400, B230400},
              {460800, B460800}, {921600, B921600}};
#define SPEED_COUNT (sizeof speeds / sizeof speeds[0])

static size_t find(uint32_t baud)
{
    size_t i = 0;
    while (i < SPEED_COUNT && speeds[i].baud != baud) {
        i++;
    }
    return i;
}

bool serial_baud_known(uint32_t baud)
{
    return find(baud) < SPEED_COUNT;
}

static bool make_raw(int fd, speed_t speed)
{
    struct termios t;
    if (tcgetattr(fd, &t) != 0) {
        return false;
    }
    cfmakeraw(&t);
    t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | HUPCL);
    t.c_cflag |= CLOCAL | CREAD; /* no modem is asked */
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    return cfsetispeed(&t, speed) == 0 && cfsetospeed(&t, speed) == 0 &&
           tcsetattr(fd, TCSANOW, &t) == 0 && tcflush(fd, TCIOFLUSH) == 0;
}

int serial_open(const char *path, uint32_t baud, const char **reason)
{
    /* Without O_NONBLOCK open() itself would wait for a carrier. */
    int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || !make_raw(fd, speeds[find(baud)].speed)) {
        *reason = arena_printf("adapter on %s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    return fd;
}
