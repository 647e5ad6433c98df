#include <string>
#include <string_view>
#include <vector>

#include "server/base/check.h"
#include "tests/fuzz/target.h"
#include "tests/support/request_shapes.h"

// The walker that decides which client bytes go into the log as they are. The first byte chooses
// the request; what is let through must be what protobuf makes of it.
namespace etcd::fuzz {

std::vector<std::string> Seeds() {
  testing::RequestGenerator generate(1);
  std::vector<std::string> seeds;
  for (std::size_t which = 0; which < testing::kRequestShapes.size(); ++which) {
    for (int i = 0; i < 4; ++i) {
      seeds.push_back(static_cast<char>(which) + testing::RandomRequest(generate, which));
    }
  }
  return seeds;
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace testing = etcd::testing;
  if (size == 0) return 0;
  const auto& request = testing::kRequestShapes[data[0] % testing::kRequestShapes.size()];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (!etcd::api::v3::IsCanonical(*request.shape, bytes)) return 0;
  const auto message = request.make();
  CHECK(message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) << request.name;
  CHECK(message->SerializeAsString() == bytes) << request.name << " is written in another way";
  return 0;
}
