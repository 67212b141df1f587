// std::fstream and std::filesystem in the folder /data. Prints "ok" or the line of what was wrong.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

static bool good = true;

static void expect(bool condition, int line)
{
    if (condition) return;
    std::cout << "line " << line << " is wrong\n";
    good = false;
}
#define EXPECT(condition) expect(condition, __LINE__)

int main()
{
    std::ofstream("/data/text") << 1.5 << " words " << 1e300 << '\n';
    std::ifstream text("/data/text");
    double first = 0, second = 0;
    std::string word;
    text >> first >> word >> second;
    EXPECT(first == 1.5 && word == "words" && second == 1e300);
    text.clear();
    text.seekg(4);
    const std::string rest(std::istreambuf_iterator<char>(text), {});
    EXPECT(rest == "words 1e+300\n");
    EXPECT(!std::ifstream("/data/none"));
    EXPECT(!std::ofstream("/elsewhere"));

    std::vector<double> values(1000, 0.1), again(1000);
    {
        std::fstream both("/data/numbers", std::ios::in | std::ios::out | std::ios::trunc | std::ios::binary);
        both.write(reinterpret_cast<char *>(values.data()), 8000);
        both.seekg(0);
        both.read(reinterpret_cast<char *>(again.data()), 8000);
        EXPECT(both.gcount() == 8000 && values == again);
    }
    EXPECT(fs::file_size("/data/numbers") == 8000);

    EXPECT(fs::create_directories("/data/inner/most"));
    EXPECT(fs::copy_file("/data/text", "/data/inner/copy.txt"));
    fs::rename("/data/numbers", "/data/inner/most/numbers");
    std::size_t files = 0, folders = 0;
    for (const fs::directory_entry &entry : fs::recursive_directory_iterator("/data")) (entry.is_directory() ? folders : files)++;
    EXPECT(files == 3 && folders == 2);
    fs::resize_file("/data/inner/most/numbers", 80);
    EXPECT(fs::file_size("/data/inner/most/numbers") == 80);
    std::error_code error;
    EXPECT(!fs::exists("/data/none") && fs::is_directory("/data/inner"));
    EXPECT(fs::file_size("/data/none", error) == static_cast<std::uintmax_t>(-1));
    EXPECT(error == std::errc::no_such_file_or_directory);
    EXPECT(fs::remove_all("/data/inner/most") == 2);
    EXPECT(fs::path("/data/inner/../a.tar.gz").lexically_normal() == "/data/a.tar.gz");
    EXPECT(fs::path("a.tar.gz").extension() == ".gz" && fs::path("/a/b") / "c" == "/a/b/c");

    std::istringstream numbers("0.1 -7 0x1f 2.5e-3 word");
    double real = 0, small = 0;
    int whole = 0, hexadecimal = 0;
    numbers >> real >> whole >> std::hex >> hexadecimal >> std::dec >> small;
    EXPECT(real == 0.1 && whole == -7 && hexadecimal == 31 && small == 2.5e-3);
    EXPECT(std::stod("1e-7") == 1e-7 && std::stoi("42") == 42 && std::to_string(17) == "17");
    if (good) std::cout << "ok\n";
    return !good;
}
