// Counts words with std::unordered_map and std::string, sorts them, writes them to a stream.
#include "kernel.h"

#include <algorithm>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

static std::string text;

void prepare(void)
{
    for (int i = 0; i < 150000; i++) {
        uint32_t word = random_bits() % (1 + random_bits() % 20000);
        for (uint32_t rest = word + 26; rest; rest /= 26) text += static_cast<char>('a' + rest % 26);
        if (word % 5 == 0) text += "-with-a-long-ending";
        text += ' ';
    }
}

double work(void)
{
    std::unordered_map<std::string, int> counts;
    for (size_t at = 0, end; (end = text.find(' ', at)) != std::string::npos; at = end + 1) counts[text.substr(at, end - at)]++;
    std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
    std::sort(sorted.begin(), sorted.end());
    std::ostringstream stream;
    double sum = 0;
    for (size_t i = 0; i < sorted.size(); i++) {
        sum += static_cast<double>(i % 100) * sorted[i].second;
        if (i % 4 == 0) stream << sorted[i].first << ' ' << sorted[i].second << '\n';
    }
    return sum + static_cast<double>(stream.str().size());
}
