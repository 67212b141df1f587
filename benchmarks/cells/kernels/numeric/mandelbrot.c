/* Points of the Mandelbrot set: short dependent loops of uneven length. */
#include "kernel.h"

void prepare(void) {}

static int escape(double re, double im)
{
    double x = 0, y = 0;
    int n = 0;
    for (; n < 300 && x * x + y * y < 4; n++) {
        double next = x * x - y * y + re;
        y = 2 * x * y + im;
        x = next;
    }
    return n;
}

double work(void)
{
    double sum = 0;
    for (int i = 0; i < 300; i++)
        for (int j = 0; j < 300; j++) sum += escape(-2.2 + i * 0.01, -1.5 + j * 0.01);
    return sum;
}
