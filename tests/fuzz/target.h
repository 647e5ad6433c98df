#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// What a fuzz target of this folder defines. libFuzzer (scripts, clang) calls the first; the plain
// test (driver.cc) calls both: every seed, every file of the corpus, and mutations of them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace etcd::fuzz {

// Inputs that reach deep: valid bytes of the format.
std::vector<std::string> Seeds();

}  // namespace etcd::fuzz
