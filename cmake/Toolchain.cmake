# Language level, optimisation, warnings and sanitizers of every target of ours.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
# Release keeps line tables: a crash of a member must be readable from its core file.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

set(ETCD_SANITIZE "" CACHE STRING "Sanitizers, comma separated: address,undefined or thread")
if(ETCD_SANITIZE)
  add_compile_options(-fsanitize=${ETCD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ETCD_SANITIZE})
endif()

# The targets of tests/fuzz as libFuzzer binaries; clang only.
option(ETCD_LIBFUZZER "Instrument for libFuzzer" OFF)
if(ETCD_LIBFUZZER)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

set(ETCD_WARNINGS -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
    -Wold-style-cast -Werror)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  list(APPEND ETCD_WARNINGS -Wthread-safety)
endif()

# Test builds only: failpoints in the server, driven by gofail's endpoint (server/base/failpoint.h).
option(ETCD_FAILPOINTS "Build failpoints into the server" OFF)
