#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/request_shapes.h"

// canonical_corpus COUNT SEED: so many requests that the walker lets into the log as they are, one
// a line: name of the message, bytes in hexadecimal ("-": none). Half of them are mutated until
// they are accepted, so that they are near the edge.
namespace {

void Print(std::string_view name, const std::string& bytes) {
  std::printf("%.*s ", static_cast<int>(name.size()), name.data());
  for (const char byte : bytes) std::printf("%02x", static_cast<unsigned char>(byte));
  std::puts(bytes.empty() ? "-" : "");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  namespace testing = etcd::testing;
  testing::RequestGenerator generate(std::strtoull(argv[2], nullptr, 10));
  for (long left = std::strtol(argv[1], nullptr, 10); left > 0; --left) {
    const std::size_t which = generate.Below(testing::kRequestShapes.size());
    const auto& request = testing::kRequestShapes[which];
    std::string bytes = testing::RandomRequest(generate, which);
    if (!etcd::api::v3::IsCanonical(*request.shape, bytes)) {
      std::fprintf(stderr, "what protobuf wrote is refused: %.*s\n",
                   static_cast<int>(request.name.size()), request.name.data());
      return 1;
    }
    for (int tries = 0; left % 2 == 0 && tries < 100; ++tries) {
      const std::string mutated = generate.Mutate(bytes);
      if (mutated == bytes || !etcd::api::v3::IsCanonical(*request.shape, mutated)) continue;
      bytes = mutated;
      break;
    }
    Print(request.name, bytes);
  }
  return 0;
}
