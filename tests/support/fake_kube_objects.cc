#include "tests/support/fake_kube_objects.h"

#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace etcd::testing {
namespace {

using Json = nlohmann::json;

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string PercentDecode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ec == std::errc()) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

bool MatchesOne(const Json& labels, const std::string& condition) {
  const std::size_t equals = condition.find('=');
  if (equals == std::string::npos) {
    const bool negated = condition.starts_with('!');
    return labels.contains(condition.substr(negated ? 1 : 0)) != negated;
  }
  const bool negated = condition[equals - 1] == '!';
  const std::string name = condition.substr(0, negated ? equals - 1 : equals);
  return (labels.value(name, "\x01none") == condition.substr(equals + 1)) != negated;
}

// What `before` set and `after` does not set any more is taken out of `object`.
void RemoveGivenUp(Json& object, const Json& before, const Json& after) {
  if (!before.is_object() || !object.is_object()) return;
  for (const auto& [name, value] : before.items()) {
    if (!object.contains(name)) continue;
    if (!after.is_object() || !after.contains(name)) {
      object.erase(name);
    } else {
      RemoveGivenUp(object[name], value, after[name]);
    }
  }
}

}  // namespace

std::optional<FakeKubeObjects::Target> FakeKubeObjects::ParseTarget(std::string_view text) {
  Target target;
  const std::size_t mark = text.find('?');
  if (mark != std::string_view::npos) {
    for (const std::string& pair : Split(text.substr(mark + 1), '&')) {
      const std::size_t equals = std::min(pair.find('='), pair.size() - 1);
      target.query[PercentDecode(pair.substr(0, equals))] = PercentDecode(pair.substr(equals + 1));
    }
  }
  std::vector<std::string> parts = Split(text.substr(1, std::min(mark, text.size()) - 1), '/');
  const std::size_t root = parts[0] == "api" ? 2 : 3;  // api/v1, apis/group/version
  if (parts.size() <= root) return std::nullopt;
  std::size_t at = root;
  if (parts[at] == "namespaces" && parts.size() > at + 2) {
    target.ns = PercentDecode(parts[at + 1]);
    at += 2;
  }
  for (std::size_t i = 0; i < root; ++i) target.collection += "/" + parts[i];
  target.collection += "/" + parts[at];
  if (parts.size() > at + 1) target.name = PercentDecode(parts[at + 1]);
  if (parts.size() > at + 2) target.sub = parts[at + 2];
  return target;
}

bool FakeKubeObjects::Matches(const Json& object, const std::string& label_selector) {
  if (label_selector.empty()) return true;
  const Json labels = object["metadata"].value("labels", Json::object());
  for (const std::string& condition : Split(label_selector, ',')) {
    if (!MatchesOne(labels, condition)) return false;
  }
  return true;
}

FakeKubeObjects::Answer FakeKubeObjects::Failure(int code, std::string_view reason,
                                                 std::string_view message) {
  return {code,
          {{"kind", "Status"},
           {"apiVersion", "v1"},
           {"status", "Failure"},
           {"code", code},
           {"reason", reason},
           {"message", message}}};
}

FakeKubeObjects::Stored* FakeKubeObjects::FindStored(const Target& target) {
  auto& objects = collections_[target.collection];
  const auto found = objects.find({target.ns, target.name});
  return found == objects.end() ? nullptr : &found->second;
}

void FakeKubeObjects::Publish(std::string_view type, const Target& target, const Json& object) {
  events_.push_back({version_, std::string(type), target.collection, object});
}

void FakeKubeObjects::Compact() { compacted_ = version_; }

FakeKubeObjects::Answer FakeKubeObjects::Get(const Target& target) const {
  const auto collection = collections_.find(target.collection);
  if (collection != collections_.end()) {
    const auto found = collection->second.find({target.ns, target.name});
    if (found != collection->second.end()) return {200, found->second.object};
  }
  return Failure(404, "NotFound", target.name + " not found");
}

FakeKubeObjects::Answer FakeKubeObjects::List(const Target& target) {
  const auto parameter = [&](const char* name) {
    const auto found = target.query.find(name);
    return found == target.query.end() ? std::string() : found->second;
  };
  const std::string token = parameter("continue");  // "<version> <ns> <name>" of the last item
  std::uint64_t version = version_;
  Key after;
  if (!token.empty()) {
    const std::vector<std::string> parts = Split(token, ' ');
    version = std::stoull(parts.at(0));
    after = {parts.at(1), parts.at(2)};
    if (version <= compacted_) return Failure(410, "Expired", "the continue token is too old");
  }
  const std::string limit_text = parameter("limit");
  const std::size_t limit = limit_text.empty() ? SIZE_MAX : std::stoull(limit_text);
  Json metadata = {{"resourceVersion", std::to_string(version)}};
  Json items = Json::array();
  for (const auto& [key, stored] : collections_[target.collection]) {
    if (!token.empty() && key <= after) continue;
    if (!target.ns.empty() && key.first != target.ns) continue;
    if (!Matches(stored.object, parameter("labelSelector"))) continue;
    if (items.size() == limit) {
      const Json& last = items.back()["metadata"];
      metadata["continue"] = fmt::format("{} {} {}", version, last.value("namespace", ""),
                                         last["name"].get<std::string>());
      break;
    }
    items.push_back(stored.object);
    items.back().erase("kind");
    items.back().erase("apiVersion");
  }
  return {200, {{"kind", "List"}, {"metadata", metadata}, {"items", items}}};
}

Json FakeKubeObjects::Fresh(const Target& target, Json body) {
  Json& metadata = body["metadata"];
  if (!target.ns.empty()) metadata["namespace"] = target.ns;
  metadata["uid"] = fmt::format("uid-{}", next_uid_++);
  metadata["generation"] = 1;
  metadata["creationTimestamp"] = "2026-01-01T00:00:00Z";
  metadata["resourceVersion"] = std::to_string(++version_);
  return body;
}

FakeKubeObjects::Answer FakeKubeObjects::Create(const Target& target, Json body) {
  Target named = target;
  named.name = body["metadata"].value("name", "");
  if (named.name.empty()) return Failure(422, "Invalid", "metadata.name is required");
  if (FindStored(named) != nullptr) {
    return Failure(409, "AlreadyExists", named.name + " already exists");
  }
  Stored& stored = collections_[named.collection][{named.ns, named.name}];
  stored.object = Fresh(named, std::move(body));
  Publish("ADDED", named, stored.object);
  return {201, stored.object};
}

std::optional<FakeKubeObjects::Answer> FakeKubeObjects::RefuseOtherVersion(
    const Json& stored, const Json& wanted) const {
  const Json metadata = wanted.value("metadata", Json::object());
  const std::string version = metadata.value("resourceVersion", "");
  const std::string uid = metadata.value("uid", "");
  const Json& own = stored["metadata"];
  if ((!version.empty() && version != own["resourceVersion"]) ||
      (!uid.empty() && uid != own["uid"])) {
    return Failure(409, "Conflict", "the object has been modified");
  }
  return std::nullopt;
}

FakeKubeObjects::Answer FakeKubeObjects::Save(const Target& target, Stored& stored, Json next) {
  for (const char* fixed : {"uid", "name", "namespace", "creationTimestamp", "resourceVersion",
                            "generation", "deletionTimestamp"}) {
    if (stored.object["metadata"].contains(fixed)) {
      next["metadata"][fixed] = stored.object["metadata"][fixed];
    } else {
      next["metadata"].erase(fixed);
    }
  }
  // Without the subresource the status stays, and the other way round.
  const Json old = stored.object;
  if (target.sub == "status") {
    const Json status = next.value("status", Json());
    next = old;
    if (!status.is_null()) next["status"] = status;
  } else if (old.contains("status")) {
    next["status"] = old["status"];
  } else {
    next.erase("status");
  }
  if (next == old) return {200, old};
  if (next.value("spec", Json()) != old.value("spec", Json())) {
    next["metadata"]["generation"] = next["metadata"]["generation"].get<int>() + 1;
  }
  next["metadata"]["resourceVersion"] = std::to_string(++version_);
  stored.object = next;
  const bool is_gone = next["metadata"].contains("deletionTimestamp") &&
                       next["metadata"].value("finalizers", Json::array()).empty();
  Publish(is_gone ? "DELETED" : "MODIFIED", target, next);
  if (is_gone) collections_[target.collection].erase({target.ns, target.name});
  return {200, next};
}

FakeKubeObjects::Answer FakeKubeObjects::Replace(const Target& target, Json body) {
  Stored* stored = FindStored(target);
  if (stored == nullptr) return Failure(404, "NotFound", target.name + " not found");
  if (auto refused = RefuseOtherVersion(stored->object, body)) return *refused;
  return Save(target, *stored, std::move(body));
}

FakeKubeObjects::Answer FakeKubeObjects::ApplyPatch(const Target& target, const Json& body) {
  const std::string manager = target.query.at("fieldManager");
  Stored* stored = FindStored(target);
  if (stored == nullptr) {
    if (!target.sub.empty()) return Failure(404, "NotFound", target.name + " not found");
    const Answer created = Create(target, body);
    FindStored(target)->applied[manager] = body;
    return created;
  }
  if (auto refused = RefuseOtherVersion(stored->object, body)) return *refused;
  Json next = stored->object;
  RemoveGivenUp(next, stored->applied[manager], body);
  next.merge_patch(body);
  stored->applied[manager] = body;
  return Save(target, *stored, std::move(next));
}

FakeKubeObjects::Answer FakeKubeObjects::Patch(const Target& target, std::string_view content_type,
                                               const Json& patch) {
  if (content_type == "application/apply-patch+yaml") return ApplyPatch(target, patch);
  Stored* stored = FindStored(target);
  if (stored == nullptr) return Failure(404, "NotFound", target.name + " not found");
  Json next = stored->object;
  if (content_type == "application/merge-patch+json") {
    if (auto refused = RefuseOtherVersion(stored->object, patch)) return *refused;
    next.merge_patch(patch);
  } else if (content_type == "application/json-patch+json") {
    try {
      next = next.patch(patch);
    } catch (const Json::exception& error) {
      return Failure(422, "Invalid", error.what());
    }
  } else {
    return Failure(415, "UnsupportedMediaType", content_type);
  }
  Target saved = target;
  if (saved.sub == "scale") saved.sub.clear();
  return Save(saved, *stored, std::move(next));
}

FakeKubeObjects::Answer FakeKubeObjects::Delete(const Target& target, const Json& options) {
  Stored* stored = FindStored(target);
  if (stored == nullptr) return Failure(404, "NotFound", target.name + " not found");
  if (options.contains("preconditions")) {
    const Json wanted = {{"metadata", options["preconditions"]}};
    if (auto refused = RefuseOtherVersion(stored->object, wanted)) return *refused;
  }
  Json& metadata = stored->object["metadata"];
  if (metadata.contains("deletionTimestamp")) return {200, stored->object};
  metadata["deletionTimestamp"] = "2026-01-02T00:00:00Z";
  metadata["resourceVersion"] = std::to_string(++version_);
  const Json object = stored->object;
  const bool is_gone = metadata.value("finalizers", Json::array()).empty();
  Publish(is_gone ? "DELETED" : "MODIFIED", target, object);
  if (is_gone) collections_[target.collection].erase({target.ns, target.name});
  return {200, object};
}

}  // namespace etcd::testing
