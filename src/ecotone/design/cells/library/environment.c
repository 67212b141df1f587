/* Beginning and end of a program, and questions about where it runs. */
#include "internal.h"

#include <stdio.h>
#include <time.h>

static int thread_level = MPI_THREAD_SINGLE;
static enum { BEFORE, DURING, AFTER } phase;

bool initialized(void) { return phase == DURING; }

/* The host asks when a rank ends: others may wait for one that has not left MPI. */
__attribute__((export_name("eco_in_mpi"))) bool eco_in_mpi(void) { return phase == DURING; }

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    (void) argc, (void) argv;
    if (phase != BEFORE) return comm_error(NULL, MPI_ERR_OTHER, "MPI_Init");
    transport_open();
    comm_open();
    phase = DURING;
    thread_level = required < MPI_THREAD_FUNNELED ? required : MPI_THREAD_FUNNELED;
    if (provided) *provided = thread_level;
    return MPI_SUCCESS;
}

int MPI_Init(int *argc, char ***argv) { return MPI_Init_thread(argc, argv, MPI_THREAD_SINGLE, NULL); }

int MPI_Query_thread(int *provided)
{
    REQUIRE(provided, NULL, MPI_ERR_ARG);
    *provided = thread_level;
    return MPI_SUCCESS;
}

int MPI_Is_thread_main(int *flag)
{
    REQUIRE(flag, NULL, MPI_ERR_ARG);
    *flag = 1;
    return MPI_SUCCESS;
}

int MPI_Initialized(int *flag)
{
    *flag = phase != BEFORE;
    return MPI_SUCCESS;
}

int MPI_Finalized(int *flag)
{
    *flag = phase == AFTER;
    return MPI_SUCCESS;
}

/* Attributes of MPI_COMM_SELF are how a library learns of the end; then nobody leaves before all have come. */
int MPI_Finalize(void)
{
    REQUIRE(phase == DURING, NULL, MPI_ERR_OTHER);
    attributes_delete(MPI_COMM_SELF, &MPI_COMM_SELF->attributes);
    attributes_delete(MPI_COMM_WORLD, &MPI_COMM_WORLD->attributes);
    MPI_Barrier(MPI_COMM_WORLD);
    WAIT_WHILE(!transport_quiet());
    phase = AFTER;
    return MPI_SUCCESS;
}

int MPI_Abort(MPI_Comm comm, int code)
{
    (void) comm;
    fflush(stdout);
    fprintf(stderr, "ecotone: rank %d called MPI_Abort with code %d\n", transport_rank, code);
    eco_abort(code);
}

int MPI_Get_processor_name(char *name, int *length)
{
    REQUIRE(name && length, NULL, MPI_ERR_ARG);
    const char *node = getenv("ECOTONE_NODE");
    *length = snprintf(name, MPI_MAX_PROCESSOR_NAME, "%s", node ? node : "cell");
    return MPI_SUCCESS;
}

int MPI_Get_version(int *version, int *subversion)
{
    *version = MPI_VERSION;
    *subversion = MPI_SUBVERSION;
    return MPI_SUCCESS;
}

int MPI_Get_library_version(char *text, int *length)
{
    *length = snprintf(text, MPI_MAX_LIBRARY_VERSION_STRING, "Ecotone cells, MPI %d.%d", MPI_VERSION, MPI_SUBVERSION);
    return MPI_SUCCESS;
}

double MPI_Wtime(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

double MPI_Wtick(void) { return 1e-9; }

int MPI_Alloc_mem(MPI_Aint bytes, MPI_Info info, void *result)
{
    (void) info;
    REQUIRE(bytes >= 0 && result, NULL, MPI_ERR_ARG);
    void *memory = malloc(bytes ? (size_t) bytes : 1);
    REQUIRE(memory, NULL, MPI_ERR_NO_MEM);
    *(void **) result = memory;
    return MPI_SUCCESS;
}

int MPI_Free_mem(void *memory)
{
    free(memory);
    return MPI_SUCCESS;
}

int MPI_Get_address(const void *place, MPI_Aint *address)
{
    REQUIRE(address, NULL, MPI_ERR_ARG);
    *address = (MPI_Aint) place;
    return MPI_SUCCESS;
}

int MPI_Address(const void *place, MPI_Aint *address) { return MPI_Get_address(place, address); }
MPI_Aint MPI_Aint_add(MPI_Aint base, MPI_Aint distance) { return base + distance; }
MPI_Aint MPI_Aint_diff(MPI_Aint a, MPI_Aint b) { return a - b; }

int MPI_Pcontrol(const int level, ...)
{
    (void) level;
    return MPI_SUCCESS;
}
