/* Gravitation between all pairs of some hundred bodies. */
#include "kernel.h"

#include <math.h>

enum { N = 400, STEPS = 12 };
static struct body { double x, y, z, vx, vy, vz, mass; } start[N], bodies[N];

void prepare(void)
{
    for (int i = 0; i < N; i++) {
        double x = random_unit(), y = random_unit(), z = random_unit();
        start[i] = (struct body) {x, y, z, 0, 0, 0, 0.5 + random_unit()};
    }
}

static void attract(struct body *a, struct body *b, double time)
{
    double dx = b->x - a->x, dy = b->y - a->y, dz = b->z - a->z;
    double square = dx * dx + dy * dy + dz * dz + 1e-3;
    double force = time / (square * sqrt(square));
    a->vx += dx * force * b->mass, a->vy += dy * force * b->mass, a->vz += dz * force * b->mass;
    b->vx -= dx * force * a->mass, b->vy -= dy * force * a->mass, b->vz -= dz * force * a->mass;
}

double work(void)
{
    for (int i = 0; i < N; i++) bodies[i] = start[i];
    for (int s = 0; s < STEPS; s++) {
        for (int i = 0; i < N; i++)
            for (int j = i + 1; j < N; j++) attract(&bodies[i], &bodies[j], 1e-5);
        for (int i = 0; i < N; i++) {
            struct body *b = &bodies[i];
            b->x += 1e-5 * b->vx, b->y += 1e-5 * b->vy, b->z += 1e-5 * b->vz;
        }
    }
    double energy = 0;
    for (int i = 0; i < N; i++) {
        struct body b = bodies[i];
        energy += b.mass * (b.vx * b.vx + b.vy * b.vy + b.vz * b.vz);
    }
    return energy;
}
