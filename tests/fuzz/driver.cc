#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "server/base/log.h"
#include "server/base/random.h"
#include "tests/fuzz/target.h"

// A fuzz target as a plain test: <binary> <mutations per input> [corpus folder]. Deterministic; a
// crash or a failed CHECK ends it. Inputs found by a fuzzer become files of the corpus folder.
namespace etcd::fuzz {
namespace {

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string Mutate(std::string bytes, base::Random& random) {
  for (std::uint64_t n = 1 + random.Below(4); n > 0; --n) {
    if (bytes.empty()) return bytes;
    const std::size_t at = random.Below(bytes.size());
    const std::size_t length = std::min<std::size_t>(random.Below(64), bytes.size() - at);
    switch (random.Below(6)) {
      case 0:
        bytes[at] = static_cast<char>(random.Next());
        break;
      case 1:
        bytes[at] ^= static_cast<char>(1U << random.Below(8));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(at, bytes.substr(random.Below(bytes.size()), length));
        break;
      case 4:
        bytes.replace(at, length, length, random.Below(2) == 0 ? '\0' : '\xff');
        break;
      default:
        bytes.resize(at);
    }
  }
  return bytes;
}

std::vector<std::string> Inputs(const char* corpus) {
  std::vector<std::string> inputs = Seeds();
  inputs.emplace_back();
  if (corpus == nullptr) return inputs;
  for (const auto& file : std::filesystem::directory_iterator(corpus)) {
    std::ifstream in(file.path(), std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return inputs;
}

}  // namespace
}  // namespace etcd::fuzz

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  etcd::base::SetLogLevel(etcd::base::LogLevel::kFatal);
  const long mutations = std::strtol(argv[1], nullptr, 10);
  etcd::base::SeededRandom random(20);
  long runs = 0;
  for (const std::string& input : etcd::fuzz::Inputs(argc > 2 ? argv[2] : nullptr)) {
    etcd::fuzz::Run(input);
    for (long i = 0; i < mutations; ++i, ++runs) {
      etcd::fuzz::Run(etcd::fuzz::Mutate(input, random));
    }
  }
  std::printf("%ld mutated inputs\n", runs);
  return 0;
}
