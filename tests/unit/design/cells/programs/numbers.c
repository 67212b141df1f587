/* Reads one text a line and prints the bits that strtod and strtof make of it, and how many characters they took. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    static char line[4096];
    FILE *file = fopen("/data/numbers", "r");
    if (!file) return 1;
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *end, *single_end;
        double value = strtod(line, &end);
        float single = strtof(line, &single_end);
        uint64_t bits;
        uint32_t single_bits;
        memcpy(&bits, &value, sizeof bits);
        memcpy(&single_bits, &single, sizeof single_bits);
        printf("%" PRIx64 " %" PRIx32 " %d %d\n", bits, single_bits, (int) (end - line), (int) (single_end - line));
    }
    fclose(file);
    return 0;
}
