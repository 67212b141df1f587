/* Of two ranks, rank 0 sends a message without data and one behind it while rank 1 makes no MPI call; the test then
 * takes rank 0 off the node and creates go/on. What is sent before it leaves five bytes in the line of small
 * messages, which must not be taken for a part of the message without data. */
#include "check.h"

#include <unistd.h>

static void send_and_wait(unsigned char *data, int bytes)
{
    MPI_Send("fives", 5, MPI_BYTE, 1, 1, MPI_COMM_WORLD);
    MPI_Recv(NULL, 0, MPI_BYTE, 1, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE); /* it has been taken, as we now know */
    for (int i = 0; i < bytes; i++) data[i] = (unsigned char) (i * 7);
    MPI_Send(NULL, 0, MPI_BYTE, 1, 2, MPI_COMM_WORLD);
    MPI_Send(data, bytes, MPI_BYTE, 1, 3, MPI_COMM_WORLD);
    printf("sent\n");
    fflush(stdout);
    MPI_Recv(NULL, 0, MPI_BYTE, 1, 4, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void receive_late(unsigned char *data, int bytes)
{
    MPI_Status status;
    int count;
    MPI_Recv(data, 5, MPI_BYTE, 0, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Send(NULL, 0, MPI_BYTE, 0, 1, MPI_COMM_WORLD);
    while (access("go/on", F_OK)) usleep(2000);
    MPI_Barrier(MPI_COMM_SELF); /* a safe point that comes before any look at the ring */
    MPI_Recv(data, bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_BYTE, &count);
    CHECK(count == 0);
    MPI_Recv(data, bytes, MPI_BYTE, 0, 3, MPI_COMM_WORLD, &status);
    MPI_Get_count(&status, MPI_BYTE, &count);
    CHECK(count == bytes);
    for (int i = 0; i < bytes; i++) CHECK(data[i] == (unsigned char) (i * 7));
    MPI_Send(NULL, 0, MPI_BYTE, 0, 4, MPI_COMM_WORLD);
}

int main(int argc, char **argv)
{
    static unsigned char data[1000];
    begin(&argc, &argv);
    if (rank == 0)
        send_and_wait(data, sizeof data);
    else
        receive_late(data, sizeof data);
    return end();
}
