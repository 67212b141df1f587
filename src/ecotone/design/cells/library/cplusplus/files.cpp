// std::fstream and std::filesystem. The compiler brings their sources but leaves them out of its library for WebAssembly;
// here they are compiled, from where they are installed, for the files that a cell is given. What fails without an error
// code to report it in ends the rank with a message, since nothing can be thrown.
#include <cerrno>
#include <sys/types.h>

// Asked for, though this kind of system has neither: their caller then copies by itself.
extern "C" inline ssize_t copy_file_range(int, off_t *, int, off_t *, size_t, unsigned)
{
    errno = ENOSYS;
    return -1;
}

extern "C" inline ssize_t sendfile(int, int, off_t *, size_t)
{
    errno = EINVAL;
    return -1;
}

#include "filesystem/directory_entry.cpp"
#include "filesystem/directory_iterator.cpp"
#include "filesystem/filesystem_clock.cpp"
#include "filesystem/filesystem_error.cpp"
#include "filesystem/int128_builtins.cpp"
#include "filesystem/operations.cpp"
#include "filesystem/path.cpp"

#include <fstream>

template class std::basic_filebuf<char>;
template class std::basic_ifstream<char>;
template class std::basic_ofstream<char>;
template class std::basic_fstream<char>;
