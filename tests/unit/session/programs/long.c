/* Computes between two MPI calls until there is a file `stop`; the result depends on each step. */
#include <mpi.h>
#include <stdio.h>

static int is_to_stop(int rank)
{
    int found = 0;
    if (rank == 0) {
        FILE *file = fopen("here/stop", "r");
        found = file != NULL;
        if (file)
            fclose(file);
    }
    MPI_Bcast(&found, 1, MPI_INT, 0, MPI_COMM_WORLD);
    return found;
}

int main(int argc, char **argv)
{
    int rank;
    unsigned long long steps = 0, state = 1;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    while (!is_to_stop(rank)) {
        for (int i = 0; i < 1000000; i++)
            state = state * 6364136223846793005u + 1442695040888963407u;
        steps++;
    }
    unsigned long long again = 1;
    for (unsigned long long i = 0; i < steps * 1000000; i++)
        again = again * 6364136223846793005u + 1442695040888963407u;
    if (rank == 0)
        puts(again == state ? "right" : "wrong");
    MPI_Finalize();
    return 0;
}
