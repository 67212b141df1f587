/* Uses about a third of a second of CPU time. */
#include <stdio.h>

int main(void)
{
    volatile double sum = 0;
    for (int i = 0; i < 300000000; i++)
        sum += i;
    printf("%.17g\n", sum);
    return 0;
}
