#include "server/v2store/document.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>

#include <nlohmann/json.hpp>

#include "server/base/status.h"

namespace etcd::v2store {
namespace {

using Json = nlohmann::ordered_json;

// Builds the tree the way the v2 store would: each write takes the next index.
class Tree {
 public:
  Tree() : root_(Directory("/", 0)) {
    Children(root_)["0"] = Directory("/0", 0);
    Children(root_)["1"] = Directory("/1", 0);
  }

  void Put(const std::vector<std::string>& path, std::string value) {
    ++index_;
    Json* at = &root_;
    std::string full;
    for (std::size_t i = 0; i + 1 < path.size(); ++i) {
      full += "/" + path[i];
      Json& children = Children(*at);
      if (!children.contains(path[i])) children[path[i]] = Directory(full, index_);
      at = &children[path[i]];
    }
    full += "/" + path.back();
    Json file = Node(full, index_);
    file["Value"] = std::move(value);
    file["Children"] = nullptr;
    Children(*at)[path.back()] = std::move(file);
  }

  std::string Dump() const {
    Json document;
    document["Root"] = root_;
    document["CurrentIndex"] = index_;
    document["CurrentVersion"] = 2;
    return document.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

 private:
  static Json Node(const std::string& path, std::uint64_t index) {
    Json node;
    node["Path"] = path;
    node["CreatedIndex"] = index;
    node["ModifiedIndex"] = index;
    node["ExpireTime"] = "0001-01-01T00:00:00Z";  // permanent
    node["Value"] = "";
    return node;
  }
  static Json Directory(const std::string& path, std::uint64_t index) {
    Json node = Node(path, index);
    node["Children"] = Json::object();
    return node;
  }
  static Json& Children(Json& node) { return node["Children"]; }

  Json root_;
  std::uint64_t index_ = 0;
};

absl::Status Malformed(std::string_view what) {
  return base::DataLoss("v2 store of the snapshot: " + std::string(what));
}

const Json* Child(const Json* node, const std::string& name) {
  if (node == nullptr || !node->is_object()) return nullptr;
  const auto children = node->find("Children");
  if (children == node->end() || !children->is_object()) return nullptr;
  const auto child = children->find(name);
  return child == children->end() ? nullptr : &*child;
}

std::string ValueOf(const Json* node) {
  if (node == nullptr || !node->is_object()) return "";
  const auto value = node->find("Value");
  return value != node->end() && value->is_string() ? value->get<std::string>() : "";
}

// Calls `each(id, child)` for the children of a directory whose names are member ids.
template <typename Each>
absl::Status ForEachId(const Json* directory, const Each& each) {
  if (directory == nullptr) return absl::OkStatus();
  const auto children = directory->find("Children");
  if (children == directory->end() || !children->is_object()) return absl::OkStatus();
  for (const auto& [name, child] : children->items()) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id, 16);
    if (error != std::errc() || end != name.data() + name.size()) {
      return Malformed("a member id is not hex");
    }
    RETURN_IF_ERROR(each(MemberId(id), child));
  }
  return absl::OkStatus();
}

}  // namespace

std::string Render(const Document& document) {
  Tree tree;
  for (const MemberNode& member : document.members) {
    const std::string id = base::FormatHex(member.id.value());
    tree.Put({"0", "members", id, "raftAttributes"}, member.raft_attributes);
    if (!member.attributes.empty()) {
      tree.Put({"0", "members", id, "attributes"}, member.attributes);
    }
  }
  for (const MemberId id : document.removed) {
    tree.Put({"0", "removed_members", base::FormatHex(id.value())}, "");
  }
  if (!document.version.empty()) tree.Put({"0", "version"}, document.version);
  return tree.Dump();
}

absl::StatusOr<Document> Parse(std::string_view json) {
  const Json parsed = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object() || !parsed.contains("Root")) return Malformed("not a document");
  const Json* zero = Child(&parsed["Root"], "0");
  Document document;
  RETURN_IF_ERROR(ForEachId(Child(zero, "members"), [&](MemberId id, const Json& node) {
    const Json* raft_attributes = Child(&node, "raftAttributes");
    if (raft_attributes == nullptr) return Malformed("a member without raftAttributes");
    document.members.push_back({id, ValueOf(raft_attributes), ValueOf(Child(&node, "attributes"))});
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(ForEachId(Child(zero, "removed_members"), [&](MemberId id, const Json&) {
    document.removed.push_back(id);
    return absl::OkStatus();
  }));
  std::sort(document.members.begin(), document.members.end(),
            [](const MemberNode& a, const MemberNode& b) { return a.id < b.id; });
  std::sort(document.removed.begin(), document.removed.end());
  document.version = ValueOf(Child(zero, "version"));
  return document;
}

}  // namespace etcd::v2store
