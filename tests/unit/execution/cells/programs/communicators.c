/* Communicators: messages stay in their own, however they were made; intercommunicators; attributes. */
#include "check.h"

static void splits(void)
{
    MPI_Comm half, copy;
    int half_rank, half_size, sum, mine = rank;
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, -rank, &half);
    MPI_Comm_rank(half, &half_rank);
    MPI_Comm_size(half, &half_size);
    CHECK(half_size == (size + 1 - rank % 2) / 2 && half_rank == half_size - 1 - rank / 2);
    MPI_Comm_dup(half, &copy);
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, copy);
    int expected = 0;
    for (int i = rank % 2; i < size; i += 2) expected += i;
    CHECK(sum == expected);
    MPI_Comm_free(&copy);
    MPI_Comm_free(&half);
}

/* The same tag to the same rank in two communicators: each receive gets its own. */
static void separation(void)
{
    MPI_Comm copy;
    MPI_Request requests[2];
    int a = 1, b = 2, in;
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Isend(&a, 1, MPI_INT, rank, 0, MPI_COMM_WORLD, &requests[0]);
    MPI_Isend(&b, 1, MPI_INT, rank, 0, copy, &requests[1]);
    MPI_Recv(&in, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, copy, MPI_STATUS_IGNORE);
    CHECK(in == 2);
    MPI_Recv(&in, 1, MPI_INT, MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    CHECK(in == 1);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
    MPI_Comm_free(&copy);
}

static void create_group(void)
{
    MPI_Group world, first;
    MPI_Comm comm;
    int range[1][3] = {{0, size / 2, 1}};
    MPI_Comm_group(MPI_COMM_WORLD, &world);
    MPI_Group_range_incl(world, 1, range, &first);
    if (rank <= size / 2) { /* the others take no part */
        int sum, one = 1;
        MPI_Comm_create_group(MPI_COMM_WORLD, first, 5, &comm);
        MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, comm);
        CHECK(sum == size / 2 + 1);
        MPI_Comm_free(&comm);
    }
    MPI_Group_free(&world);
    MPI_Group_free(&first);
}

static void between(void)
{
    MPI_Comm half, inter, merged;
    int color = rank < size / 2, remote, sum, mine = rank, merged_rank;
    if (size < 2) return;
    MPI_Comm_split(MPI_COMM_WORLD, color, rank, &half);
    MPI_Intercomm_create(half, 0, MPI_COMM_WORLD, color ? size / 2 : 0, 9, &inter);
    MPI_Comm_remote_size(inter, &remote);
    CHECK(remote == (color ? size - size / 2 : size / 2));
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, inter);
    int expected = 0;
    for (int i = 0; i < size; i++)
        if ((i < size / 2) != color) expected += i;
    CHECK(sum == expected);
    MPI_Intercomm_merge(inter, !color, &merged);
    MPI_Comm_rank(merged, &merged_rank);
    CHECK(merged_rank == rank);
    MPI_Comm_free(&merged);
    MPI_Comm_free(&inter);
    MPI_Comm_free(&half);
}

static int deleted;
static int delete_it(MPI_Comm comm, int keyval, void *value, void *extra)
{
    (void) comm, (void) keyval, (void) extra;
    deleted += *(int *) value;
    return MPI_SUCCESS;
}

static void attributes(void)
{
    MPI_Comm copy;
    int keyval, flag, value = 3, *found;
    MPI_Comm_create_keyval(MPI_COMM_DUP_FN, delete_it, &keyval, NULL);
    MPI_Comm_set_attr(MPI_COMM_WORLD, keyval, &value);
    MPI_Comm_dup(MPI_COMM_WORLD, &copy);
    MPI_Comm_get_attr(copy, keyval, &found, &flag);
    CHECK(flag && found == &value);
    MPI_Comm_free(&copy);
    CHECK(deleted == 3);
    MPI_Comm_delete_attr(MPI_COMM_WORLD, keyval);
    MPI_Comm_free_keyval(&keyval);
    CHECK(deleted == 6 && keyval == MPI_KEYVAL_INVALID);
}

int main(int argc, char **argv)
{
    begin(&argc, &argv);
    splits();
    separation();
    create_group();
    between();
    attributes();
    return end();
}
