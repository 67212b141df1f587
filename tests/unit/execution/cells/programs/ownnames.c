/* A program whose own names are those that an MPI library would like to use inside. */
#include "check.h"

int initialized, region = 3, reduction_double[2] = {4, 5};
double progress(double done) { return 2 * done; }
int check_data(const char *text) { return (int) strlen(text); }
void wait_until(int *value) { *value = 7; }
void *request_new(void) { return &region; }
const char *controls = "own";

int main(int argc, char **argv)
{
    int value = 0, sum;
    MPI_Win win;
    initialized = 1;
    begin(&argc, &argv);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Win_create(&value, sizeof value, sizeof value, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
    MPI_Win_free(&win);
    CHECK(sum == size * (size - 1) / 2);
    wait_until(&value);
    CHECK(initialized == 1 && region == 3 && reduction_double[1] == 5 && progress(1.5) == 3);
    CHECK(check_data("abc") == 3 && value == 7 && request_new() == &region && !strcmp(controls, "own"));
    return end();
}
