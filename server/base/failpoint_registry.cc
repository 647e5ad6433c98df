#include "server/base/failpoint_registry.h"

#include <functional>

namespace etcd::base {
namespace {

constexpr int kOk = 200;
constexpr int kNoContent = 204;
constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kBadMethod = 405;

}  // namespace

void FailpointRegistry::Add(std::string_view name) {
  MutexLock lock(mutex_);
  points_.emplace(name, std::nullopt);
}

bool FailpointRegistry::Set(std::string_view name, std::string_view terms) {
  MutexLock lock(mutex_);
  const auto point = points_.find(name);
  std::optional<FailpointTerms> parsed = FailpointTerms::Parse(terms);
  if (point == points_.end() || !parsed) return false;
  point->second = std::move(parsed);
  return true;
}

bool FailpointRegistry::Clear(std::string_view name) {
  MutexLock lock(mutex_);
  const auto point = points_.find(name);
  if (point == points_.end() || !point->second) return false;
  point->second.reset();
  return true;
}

bool FailpointRegistry::SetAll(std::string_view list) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(';'));
    list.remove_prefix(std::min(list.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos || !Set(one.substr(0, equals), one.substr(equals + 1))) {
      return false;
    }
  }
  return true;
}

FailpointAction FailpointRegistry::Next(const std::string& name) {
  MutexLock lock(mutex_);
  std::optional<FailpointTerms>& terms = points_.find(name)->second;
  return terms ? terms->Next(random_) : FailpointAction();
}

FailpointRegistry::Answer FailpointRegistry::Serve(std::string_view method, std::string_view path,
                                                   std::string_view body) {
  if (!path.starts_with("/")) return {kBadRequest, "malformed request URI\n"};
  const std::string_view name = path.substr(1);
  if (method == "GET") return Get(name);
  if (method == "PUT") {
    const bool done = name == "failpoints" ? SetAll(body) : Set(name, body);
    return done ? Answer{kNoContent, ""} : Answer{kBadRequest, "fail to set failpoint\n"};
  }
  if (method == "DELETE") {
    return Clear(name) ? Answer{kNoContent, ""}
                       : Answer{kBadRequest, "failed to delete failpoint\n"};
  }
  return {kBadMethod, "Method not allowed\n"};
}

FailpointRegistry::Answer FailpointRegistry::Get(std::string_view name) {
  constexpr std::string_view kCount = "/count";
  MutexLock lock(mutex_);
  if (name.empty()) {
    std::string lines;
    for (const auto& [point, terms] : points_) {
      lines += point + "=" + (terms ? terms->text() : "") + "\n";
    }
    return {kOk, lines};
  }
  const bool counts = name.ends_with(kCount);
  if (counts) name.remove_suffix(kCount.size());
  const auto point = points_.find(name);
  if (point == points_.end() || !point->second) return {kNotFound, "failed to GET\n"};
  if (counts) return {kOk, std::to_string(point->second->count())};
  return {kOk, point->second->text() + "\n"};
}

}  // namespace etcd::base
