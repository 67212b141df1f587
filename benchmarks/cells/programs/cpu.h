/* CPU time of this rank's process: the C library's `clock` for WebAssembly tells the time of day's passing instead. */
#include <stdint.h>
#include <time.h>

__attribute__((import_module("wasi_snapshot_preview1"), import_name("clock_time_get"))) int32_t host_clock(
    int32_t which, int64_t precision, uint64_t *nanoseconds);

static inline int cpu_time(struct timespec *time)
{
    uint64_t nanoseconds = 0;
    int error = host_clock(2, 1, &nanoseconds);
    *time = (struct timespec){(time_t) (nanoseconds / 1000000000u), (long) (nanoseconds % 1000000000u)};
    return error;
}

static inline double cpu_seconds(void)
{
    struct timespec time;
    cpu_time(&time);
    return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}
