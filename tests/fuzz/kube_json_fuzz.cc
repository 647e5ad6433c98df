// What an API server, or somebody in its place, may send: streams of objects and error bodies.
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "operator/kube/api_error.h"
#include "operator/kube/json_splitter.h"
#include "operator/kube/object.h"
#include "operator/kube/times.h"
#include "target.h"

namespace etcd {
namespace {

std::vector<std::string> SplitIn(std::string_view stream, std::size_t piece, bool& is_ok) {
  std::vector<std::string> objects;
  kube::JsonSplitter splitter(4096);
  is_ok = true;
  for (std::size_t at = 0; at < stream.size() && is_ok; at += piece) {
    is_ok = splitter
                .Feed(stream.substr(at, piece),
                      [&](std::string_view object) {
                        objects.emplace_back(object);
                        return absl::OkStatus();
                      })
                .ok();
  }
  return objects;
}

void Read(const std::string& text) {
  absl::StatusOr<kube::Json> json = kube::ParseJson(text);
  if (!json.ok()) return;
  // What was read prints and reads again as the same value.
  if (*kube::ParseJson(kube::DumpJson(*json)) != *json) std::abort();
  (void)kube::StatusOfAnswer(500, text, std::nullopt).ok();
  const absl::StatusOr<kube::Object> object = kube::Object::Make(*std::move(json));
  if (!object.ok()) return;
  if (object->name().empty()) std::abort();
  (void)object->controller_uid();
  (void)object->is_deleting();
  (void)kube::ParseTime(object->label("t")).ok();
}

}  // namespace
}  // namespace etcd

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  bool whole_ok = false;
  bool bytes_ok = false;
  const std::vector<std::string> whole = etcd::SplitIn(stream, size + 1, whole_ok);
  // Cut anywhere, it is the same.
  if (etcd::SplitIn(stream, 1, bytes_ok) != whole || whole_ok != bytes_ok) std::abort();
  for (const std::string& object : whole) etcd::Read(object);
  etcd::Read(std::string(stream));
  return 0;
}

namespace etcd::fuzz {

std::vector<std::string> Seeds() {
  return {
      R"({"type":"ADDED","object":{"metadata":{"name":"a","labels":{"t":"2026-11-21T16:05:02Z"}}}})",
      R"({"metadata":{"name":"a","ownerReferences":[{"uid":"u","controller":true}]}} {"a":[1,-2.5e3]})",
      R"({"kind":"Status","code":504,"details":{"causes":[{"reason":"x\"}{"}],"retryAfterSeconds":5}})",
      "{\"a\":\"\\u00e4\\\\\"}\n{\"b\":[[[[{}]]]]}",
  };
}

}  // namespace etcd::fuzz
