# CMake builds cells with it: cmake -DCMAKE_TOOLCHAIN_FILE=$(ecotone cell toolchain) ...
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR wasm32)

find_program(ECOTONE_CC ecotone-cc REQUIRED)
get_filename_component(ECOTONE_BIN "${ECOTONE_CC}" DIRECTORY)
set(CMAKE_C_COMPILER "${ECOTONE_BIN}/ecotone-cc")
set(CMAKE_CXX_COMPILER "${ECOTONE_BIN}/ecotone-c++")
set(CMAKE_AR "${ECOTONE_BIN}/ecotone-ar" CACHE FILEPATH "archiver for cells")
set(CMAKE_RANLIB "${ECOTONE_BIN}/ecotone-ranlib" CACHE FILEPATH "indexer for cells")

# The compilers know MPI; programs run through the host.
set(MPI_C_COMPILER "${CMAKE_C_COMPILER}" CACHE FILEPATH "MPI compiler for cells")
set(MPI_CXX_COMPILER "${CMAKE_CXX_COMPILER}" CACHE FILEPATH "MPI compiler for cells")
set(MPIEXEC_EXECUTABLE "${ECOTONE_BIN}/ecotone-mpirun" CACHE FILEPATH "runs cells")
set(CMAKE_CROSSCOMPILING_EMULATOR "${ECOTONE_BIN}/ecotone-run")

# Libraries and headers of this machine are of no use; programs are.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
