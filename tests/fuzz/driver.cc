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

// A fuzz target as a plain test: <binary> <mutations per seed> [corpus folder]. Deterministic; a
// crash or a failed CHECK ends it. Inputs found by a fuzzer become files of the corpus folder.
// <binary> --write <folder> writes the seeds there, for a fuzzer to start from.
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

// Files are many and mutated less than seeds.
constexpr long kLessForFiles = 20;

std::vector<std::string> FilesOf(const char* corpus) {
  if (corpus == nullptr) return {};
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(corpus)) paths.push_back(file.path());
  std::ranges::sort(paths);
  std::vector<std::string> files;
  for (const std::filesystem::path& path : paths) {
    std::ifstream in(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return files;
}

void RunWithMutations(const std::vector<std::string>& inputs, long mutations,
                      base::Random& random) {
  for (const std::string& input : inputs) {
    Run(input);
    for (long i = 0; i < mutations; ++i) Run(Mutate(input, random));
  }
}

void WriteSeeds(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const std::string& seed : Seeds()) {
    std::ofstream out(folder / ("seed-" + std::to_string(++number)), std::ios::binary);
    out << seed;
  }
}

}  // namespace
}  // namespace etcd::fuzz

int main(int argc, char** argv) {
  namespace fuzz = etcd::fuzz;
  if (argc < 2) return 2;
  etcd::base::SetLogLevel(etcd::base::LogLevel::kFatal);
  if (argc > 2 && std::string(argv[1]) == "--write") {
    fuzz::WriteSeeds(argv[2]);
    return 0;
  }
  const long mutations = std::strtol(argv[1], nullptr, 10);
  etcd::base::SeededRandom random(20);
  std::vector<std::string> seeds = fuzz::Seeds();
  seeds.emplace_back();
  const std::vector<std::string> files = fuzz::FilesOf(argc > 2 ? argv[2] : nullptr);
  fuzz::RunWithMutations(seeds, mutations, random);
  fuzz::RunWithMutations(files, mutations / fuzz::kLessForFiles, random);
  std::printf("%zu seeds and %zu files with mutations\n", seeds.size(), files.size());
  return 0;
}
