/* What a component of kind cell may want of a program; the first argument says what. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is(const char *what, const char *argument) { return strcmp(what, argument) == 0; }

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const char *what = argc > 1 ? argv[1] : "";
    if (is("double", what) && rank == 0) {
        double value = 0;
        FILE *in = fopen("in.txt", "r"), *out = fopen("out.txt", "w");
        if (!in || !out || fscanf(in, "%lf", &value) != 1) MPI_Abort(MPI_COMM_WORLD, 3);
        fprintf(out, "%g", 2 * value);
        fclose(out);
    }
    if (is("echo", what) && rank == 0) {
        char line[100];
        while (fgets(line, sizeof line, stdin)) fputs(line, stdout);
        const char *name = getenv("NAME");
        printf("%d ranks, %s\n", size, name ? name : "no name");
    }
    if (is("again", what) && rank == 0) {
        FILE *file = fopen("in.txt", "r+");
        if (!file || fputs(argv[2], file) < 0 || fclose(file)) MPI_Abort(MPI_COMM_WORLD, 4);
    }
    if (is("grow", what) && rank == 0) {
        FILE *file = fopen("out.txt", "w");
        if (!file || ftruncate(fileno(file), 1LL << 40)) MPI_Abort(MPI_COMM_WORLD, 5);
        fclose(file);
    }
    if (is("say", what) && rank == 0)
        for (long count = atol(argv[2]); count > 0; count--) putchar('x');
    if (is("fail", what) && rank == size - 1) {
        fprintf(stderr, "the tank is empty\n");
        MPI_Abort(MPI_COMM_WORLD, 7);
    }
    if (is("spin", what)) {
        volatile unsigned long turns = 0;
        for (unsigned long most = (unsigned long) atol(argv[2]); most == 0 || turns < most;) turns++;
    }
    MPI_Finalize();
    return 0;
}
