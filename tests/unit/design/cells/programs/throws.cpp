// Throws what its argument names.
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

struct Plain {};

namespace science
{
struct Failure : std::runtime_error { using std::runtime_error::runtime_error; };
}

int main(int count, char **arguments)
{
    const std::string kind = count > 1 ? arguments[1] : "";
    if (kind == "range") return std::vector<int>(3).at(static_cast<std::size_t>(count) + 5);
    if (kind == "own") throw science::Failure("the pressure is negative");
    if (kind == "plain") throw Plain();
    if (kind == "number") throw 5;
    std::cout << "nothing thrown\n";
    return 0;
}
