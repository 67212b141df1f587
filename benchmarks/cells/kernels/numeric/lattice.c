/* Lattice-Boltzmann flow, nine velocities: many streams of memory, divisions, few branches. */
#include "kernel.h"

enum { W = 130, H = 126, Q = 9, STEPS = 20 };
static const int cx[Q] = {0, 1, 0, -1, 0, 1, -1, -1, 1}, cy[Q] = {0, 0, 1, 0, -1, 1, 1, -1, -1};
static const double weight[Q] = {4. / 9, 1. / 9, 1. / 9, 1. / 9, 1. / 9, 1. / 36, 1. / 36, 1. / 36, 1. / 36};
static double f[Q][H][W], g[Q][H][W];

void prepare(void) {}

static void collide(int y, int x)
{
    double density = 0, u = 0, v = 0;
    for (int k = 0; k < Q; k++) density += f[k][y][x], u += cx[k] * f[k][y][x], v += cy[k] * f[k][y][x];
    u /= density, v /= density;
    for (int k = 0; k < Q; k++) {
        double along = 3 * (cx[k] * u + cy[k] * v);
        double rest = weight[k] * density * (1 + along + 0.5 * along * along - 1.5 * (u * u + v * v));
        g[k][(y + cy[k] + H) % H][(x + cx[k] + W) % W] = f[k][y][x] + 1.2 * (rest - f[k][y][x]);
    }
}

double work(void)
{
    for (int k = 0; k < Q; k++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) f[k][y][x] = weight[k] * (1 + 0.01 * ((x * y + k) % 11));
    for (int s = 0; s < STEPS; s++) {
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) collide(y, x);
        for (int k = 0; k < Q; k++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++) f[k][y][x] = g[k][y][x];
    }
    double sum = 0;
    for (int k = 0; k < Q; k++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) sum += (k + 1) * f[k][y][x];
    return sum;
}
