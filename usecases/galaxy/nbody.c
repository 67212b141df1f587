/* Two galaxies that meet: an n-body simulation with MPI, as it would be written for any cluster.
 *
 *     nbody STEPS [BODIES [PASS]]
 *
 * Goes on from the file "bodies" if there is one, else makes two discs of BODIES / 2 stars each, which pass each other
 * at a distance PASS. After STEPS steps rank 0 writes "bodies" and "density", a picture of 512 x 384 numbers: how many
 * stars lie behind each point. Every rank moves its share of the stars; in each step all of them learn all places. */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 512
#define HEIGHT 384
#define VIEW 20.0f      /* breadth of the picture, in units of a galaxy's scale length */
#define STEP 0.03f
#define SOFTENING 0.04f /* squared: stars never come nearer than this */
#define CORE 0.85f      /* share of a galaxy's mass that its first body has */

typedef struct { float x, y, z, vx, vy, vz; } body;

static double uniform(unsigned long long *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (double) (*state >> 11) / 9007199254740992.0;
}

/* A thin disc around a heavy core, turning; tilted, placed and sent on its way. */
static void make_galaxy(body *bodies, int count, float x, float y, float vx, float vy, float tilt, unsigned long long seed)
{
    bodies[0] = (body) {x, y, 0, vx, vy, 0};
    for (int i = 1; i < count; i++) {
        double radius = 0.4 + 3.2 * sqrt(uniform(&seed)), angle = 2 * M_PI * uniform(&seed);
        double inside = CORE + (1 - CORE) * (radius * radius) / (3.6 * 3.6);
        double speed = sqrt(inside / sqrt(radius * radius + SOFTENING));
        double px = radius * cos(angle), py = radius * sin(angle), pz = 0.05 * (uniform(&seed) - 0.5);
        double sx = -speed * sin(angle), sy = speed * cos(angle);
        double c = cos(tilt), s = sin(tilt);
        bodies[i] = (body) {
            (float) (x + px), (float) (y + py * c - pz * s), (float) (py * s + pz * c),
            (float) (vx + sx), (float) (vy + sy * c), (float) (sy * s),
        };
    }
}

static float mass_of(int i, int count)
{
    int half = count / 2, is_core = i == 0 || i == half;
    return is_core ? CORE : (1 - CORE) / (float) (half - 1);
}

static void fail(const char *what)
{
    fprintf(stderr, "nbody: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, 2);
}

/* All bodies, from the file or new; `*count` is set. */
static body *load(int *count, float pass)
{
    FILE *file = fopen("bodies", "rb");
    body *bodies;
    if (!file) {
        bodies = calloc((size_t) *count, sizeof *bodies);
        int half = *count / 2;
        make_galaxy(bodies, half, -4.6f, -pass / 2, 0.42f, 0.06f, 0.3f, 1);
        make_galaxy(bodies + half, half, 4.6f, pass / 2, -0.42f, -0.06f, -0.9f, 2);
        return bodies;
    }
    if (fread(count, sizeof *count, 1, file) != 1 || *count < 4 || *count > 10000000) fail("bodies: not a file of mine");
    bodies = calloc((size_t) *count, sizeof *bodies);
    if (fread(bodies, sizeof *bodies, (size_t) *count, file) != (size_t) *count) fail("bodies: cut short");
    fclose(file);
    return bodies;
}

static void save(const body *bodies, int count)
{
    static float density[HEIGHT][WIDTH];
    for (int i = 0; i < count; i++) {
        int column = (int) floorf((bodies[i].x / VIEW + 0.5f) * WIDTH);
        int row = (int) floorf(0.5f * HEIGHT - bodies[i].y / VIEW * WIDTH);
        if (column >= 0 && column < WIDTH && row >= 0 && row < HEIGHT) density[row][column] += 1;
    }
    FILE *file = fopen("density", "wb");
    if (!file || fwrite(density, sizeof density, 1, file) != 1 || fclose(file)) fail("density: cannot be written");
    file = fopen("bodies", "wb");
    if (!file || fwrite(&count, sizeof count, 1, file) != 1 ||
        fwrite(bodies, sizeof *bodies, (size_t) count, file) != (size_t) count || fclose(file))
        fail("bodies: cannot be written");
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank, size, count = argc > 2 ? atoi(argv[2]) : 2000, steps = argc > 1 ? atoi(argv[1]) : 10;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (count < 4 || count % 2) fail("BODIES: an even number, at least 4");

    body *bodies = rank == 0 ? load(&count, argc > 3 ? (float) atof(argv[3]) : 3.0f) : NULL;
    MPI_Bcast(&count, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Datatype star;
    MPI_Type_contiguous(6, MPI_FLOAT, &star);
    MPI_Type_commit(&star);

    int *counts = calloc((size_t) size, sizeof *counts), *starts = calloc((size_t) size, sizeof *starts);
    for (int r = 0; r < size; r++) {
        starts[r] = (int) ((long long) count * r / size);
        counts[r] = (int) ((long long) count * (r + 1) / size) - starts[r];
    }
    int mine = counts[rank];
    body *own = calloc((size_t) mine + 1, sizeof *own);
    MPI_Scatterv(bodies, counts, starts, star, own, mine, star, 0, MPI_COMM_WORLD);

    float *x = calloc((size_t) count, sizeof *x), *y = calloc((size_t) count, sizeof *y);
    float *z = calloc((size_t) count, sizeof *z), *mass = calloc((size_t) count, sizeof *mass);
    float *place = calloc((size_t) mine + 1, sizeof *place);
    for (int i = 0; i < count; i++) mass[i] = mass_of(i, count);

    double start = MPI_Wtime();
    for (int step = 0; step < steps; step++) {
        for (int axis = 0; axis < 3; axis++) {
            for (int i = 0; i < mine; i++) place[i] = axis == 0 ? own[i].x : axis == 1 ? own[i].y : own[i].z;
            MPI_Allgatherv(place, mine, MPI_FLOAT, axis == 0 ? x : axis == 1 ? y : z, counts, starts, MPI_FLOAT,
                           MPI_COMM_WORLD);
        }
        for (int i = 0; i < mine; i++) {
            float ax = 0, ay = 0, az = 0, px = own[i].x, py = own[i].y, pz = own[i].z;
            for (int j = 0; j < count; j++) {
                float dx = x[j] - px, dy = y[j] - py, dz = z[j] - pz;
                float inverse = 1.0f / sqrtf(dx * dx + dy * dy + dz * dz + SOFTENING);
                float pull = mass[j] * inverse * inverse * inverse;
                ax += pull * dx;
                ay += pull * dy;
                az += pull * dz;
            }
            own[i].vx += ax * STEP;
            own[i].vy += ay * STEP;
            own[i].vz += az * STEP;
        }
        for (int i = 0; i < mine; i++) {
            own[i].x += own[i].vx * STEP;
            own[i].y += own[i].vy * STEP;
            own[i].z += own[i].vz * STEP;
        }
    }
    double took = MPI_Wtime() - start, slowest;
    MPI_Reduce(&took, &slowest, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
    MPI_Gatherv(own, mine, star, bodies, counts, starts, star, 0, MPI_COMM_WORLD);
    if (rank == 0) {
        save(bodies, count);
        printf("%d bodies, %d steps, %d ranks: %.1f million interactions/s\n", count, steps, size,
               (double) count * count * steps / slowest * 1e-6);
    }
    MPI_Type_free(&star);
    MPI_Finalize();
    return 0;
}
