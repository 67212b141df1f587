/* 2.21.4.5 lastprivate(conditional:), of 5.0: the value that the sequentially last assignment gives. */
#include <omp.h>

#include "../check.h"

static void loops(void)
{
    for (int wanted = 0; wanted < 100; wanted += 9) {
        int found = -1, again = -1;
#pragma omp parallel for lastprivate(conditional : found)
        for (int i = 0; i < 100; i++)
            if (i <= wanted) found = i;
        CHECK_EQUAL(found, wanted);
#pragma omp parallel for lastprivate(conditional : again) schedule(dynamic, 3)
        for (int i = 0; i < 100; i++)
            if (i % 10 == 9 && i <= wanted) again = i;
        if (wanted >= 9) CHECK_EQUAL(again, (wanted + 1) / 10 * 10 - 1);
    }
}

int main(void)
{
    RUN(loops);
    return finish();
}
