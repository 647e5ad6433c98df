#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace etcd::testing {

// An API server's objects and the rules of changing them, as far as an operator meets them. Answers
// are HTTP codes and bodies; errors are metav1.Status. Not thread-safe.
class FakeKubeObjects {
 public:
  using Json = nlohmann::json;
  struct Answer {
    int code = 200;
    Json body;
  };
  // Where a request goes.
  struct Target {
    std::string collection;  // "/apis/apps/v1/deployments": path without namespace and name
    std::string ns, name, sub;
    std::map<std::string, std::string> query;
  };
  struct Event {
    std::uint64_t version;
    std::string type;
    std::string collection;
    Json object;
  };

  static std::optional<Target> ParseTarget(std::string_view target);
  // The conditions of a labelSelector: "a=b", "a!=b", "a", "!a", commas between.
  static bool Matches(const Json& object, const std::string& label_selector);
  static Answer Failure(int code, std::string_view reason, std::string_view message);

  Answer Get(const Target& target) const;
  Answer List(const Target& target);
  Answer Create(const Target& target, Json body);
  Answer Replace(const Target& target, Json body);
  Answer Patch(const Target& target, std::string_view content_type, const Json& patch);
  Answer Delete(const Target& target, const Json& options);

  std::uint64_t version() const { return version_; }
  const std::vector<Event>& events() const { return events_; }
  // Events up to this version are gone, and pages of lists begun before it.
  std::uint64_t compacted() const { return compacted_; }
  void Compact();

 private:
  using Key = std::pair<std::string, std::string>;  // namespace, name
  struct Stored {
    Json object;
    std::map<std::string, Json> applied;  // field manager -> what it owns
  };

  Stored* FindStored(const Target& target);
  std::optional<Answer> RefuseOtherVersion(const Json& stored, const Json& wanted) const;
  Answer Save(const Target& target, Stored& stored, Json next);
  Answer ApplyPatch(const Target& target, const Json& body);
  Json Fresh(const Target& target, Json body);
  void Publish(std::string_view type, const Target& target, const Json& object);

  std::map<std::string, std::map<Key, Stored>> collections_;
  std::vector<Event> events_;
  std::uint64_t version_ = 1000;
  std::uint64_t compacted_ = 0;
  std::uint64_t next_uid_ = 1;
};

}  // namespace etcd::testing
