/* A kernel as part of an MPI program, so that its module has a safe point and all that belongs to it; timed by the
 * processor's time, so that other programs on the machine matter less. */
#include "cpu.h"

#define clock_gettime(which, time) cpu_time(time)
#define main run_kernel
#include "../kernels/main.c"
#undef main

#include <mpi.h>

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int code = run_kernel(argc, argv);
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
    return code;
}
