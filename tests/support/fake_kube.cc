#include "tests/support/fake_kube.h"

#include <utility>

#include <fmt/format.h>

#include "operator/kube/api_error.h"

namespace etcd::testing {

using kube::ApiErrc;
using kube::HttpAnswer;
using kube::HttpRequest;

struct FakeKube::Watcher {
  FakeKubeObjects::Target target;
  std::uint64_t version;
  std::size_t next;  // of events()
  std::uint64_t cuts, ends, bookmarks;
};

void FakeKube::Inject(Fault fault) {
  const std::lock_guard lock(mu_);
  faults_.push_back(std::move(fault));
}

void FakeKube::ClearFaults() {
  const std::lock_guard lock(mu_);
  faults_.clear();
}

std::optional<FakeKube::Fault> FakeKube::TakeFault(const std::string& method,
                                                   const std::string& target) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    const bool is_meant = (fault->method.empty() || fault->method == method) &&
                          target.find(fault->target_part) != std::string::npos;
    if (!is_meant) continue;
    Fault taken = *fault;
    if (--fault->times == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

HttpAnswer FakeKube::AnswerOf(const Fault& fault) {
  HttpAnswer answer;
  answer.code = fault.code;
  if (fault.retry_after_s > 0) answer.retry_after = std::chrono::seconds(fault.retry_after_s);
  answer.body = fault.body.empty()
                    ? FakeKubeObjects::Failure(fault.code, "Injected", "injected").body.dump()
                    : fault.body;
  return answer;
}

HttpAnswer FakeKube::Execute(const HttpRequest& request) {
  if (request.target == "/version") return {200, {}, R"({"major":"1","minor":"34+"})"};
  const auto target = FakeKubeObjects::ParseTarget(request.target);
  FakeKubeObjects::Answer answer = FakeKubeObjects::Failure(404, "NotFound", "no such path");
  if (target.has_value()) {
    const Json body = request.body.empty() ? Json() : Json::parse(request.body);
    if (request.method == "GET") {
      answer = target->name.empty() ? objects_.List(*target) : objects_.Get(*target);
    } else if (request.method == "POST") {
      answer = objects_.Create(*target, body);
    } else if (request.method == "PUT") {
      answer = objects_.Replace(*target, body);
    } else if (request.method == "PATCH") {
      answer = objects_.Patch(*target, request.content_type, body);
    } else if (request.method == "DELETE") {
      answer = objects_.Delete(*target, body);
    }
  }
  changed_.notify_all();
  return {answer.code, {}, answer.body.dump()};
}

absl::StatusOr<HttpAnswer> FakeKube::Send(const HttpRequest& request, std::stop_token stop) {
  std::optional<Fault> fault;
  {
    const std::lock_guard lock(mu_);
    requests_.push_back(request.method + " " + request.target);
    fault = TakeFault(request.method, request.target);
  }
  if (fault.has_value() && fault->before != nullptr) fault->before();
  if (stop.stop_requested()) return kube::ApiError(ApiErrc::kStopped, "stopped");
  const std::lock_guard lock(mu_);
  if (!fault.has_value() || fault->effect == Effect::kNone) return Execute(request);
  if (fault->effect == Effect::kAnswer) return AnswerOf(*fault);
  if (fault->effect == Effect::kLoseAnswer) Execute(request);
  return kube::ApiError(ApiErrc::kNoAnswer, "connection lost");
}

std::vector<std::string> FakeKube::NewEvents(Watcher& watcher) {
  std::vector<std::string> pieces;
  const auto line = [](std::string_view type, const Json& object) {
    return Json{{"type", type}, {"object", object}}.dump() + "\n";
  };
  const auto selector = watcher.target.query.find("labelSelector");
  for (; watcher.next < objects_.events().size(); ++watcher.next) {
    const FakeKubeObjects::Event& event = objects_.events()[watcher.next];
    const bool is_meant = event.version > watcher.version &&
                          event.collection == watcher.target.collection &&
                          (watcher.target.ns.empty() ||
                           event.object["metadata"].value("namespace", "") == watcher.target.ns) &&
                          (selector == watcher.target.query.end() ||
                           FakeKubeObjects::Matches(event.object, selector->second));
    if (is_meant) pieces.push_back(line(event.type, event.object));
  }
  if (watcher.bookmarks != bookmarks_) {
    watcher.bookmarks = bookmarks_;
    pieces.push_back(line(
        "BOOKMARK", {{"metadata", {{"resourceVersion", std::to_string(objects_.version())}}}}));
  }
  return pieces;
}

absl::StatusOr<HttpAnswer> FakeKube::StreamFault(const Fault& fault, const kube::ByteSink& sink) {
  if (fault.effect != Effect::kAnswer) return kube::ApiError(ApiErrc::kNoAnswer, "connection lost");
  HttpAnswer answer = AnswerOf(fault);
  if (fault.code != 200) return answer;
  const absl::Status status = sink(answer.body);
  if (!status.ok()) return status;
  return HttpAnswer{200, {}, {}};
}

absl::StatusOr<HttpAnswer> FakeKube::Stream(const HttpRequest& request, const kube::ByteSink& sink,
                                            std::stop_token stop) {
  std::unique_lock lock(mu_);
  requests_.push_back("WATCH " + request.target);
  std::optional<Fault> fault = TakeFault("WATCH", request.target);
  const auto target = FakeKubeObjects::ParseTarget(request.target);
  const std::uint64_t version = std::stoull(target->query.at("resourceVersion"));
  if (!fault.has_value() && version < objects_.compacted()) {
    const Json expired = FakeKubeObjects::Failure(410, "Expired", "too old resource version").body;
    fault = Fault{.code = 200, .body = Json{{"type", "ERROR"}, {"object", expired}}.dump()};
  }
  if (fault.has_value()) {
    lock.unlock();
    return StreamFault(*fault, sink);
  }
  return Follow(lock, {*target, version, 0, cuts_, ends_, bookmarks_}, sink, stop);
}

absl::StatusOr<HttpAnswer> FakeKube::Follow(std::unique_lock<std::mutex>& lock, Watcher watcher,
                                            const kube::ByteSink& sink,
                                            const std::stop_token& stop) {
  ++running_watches_;
  changed_.notify_all();
  absl::Status status;
  while (status.ok()) {
    const std::vector<std::string> pieces = NewEvents(watcher);
    lock.unlock();
    for (const std::string& piece : pieces) {
      if (status.ok()) status = sink(piece);
    }
    lock.lock();
    if (!pieces.empty()) continue;
    if (stop.stop_requested()) status = kube::ApiError(ApiErrc::kStopped, "stopped");
    if (watcher.cuts != cuts_) status = kube::ApiError(ApiErrc::kNoAnswer, "connection lost");
    if (!status.ok() || watcher.ends != ends_) break;
    changed_.wait(lock, stop, [&] {
      return watcher.next < objects_.events().size() || watcher.cuts != cuts_ ||
             watcher.ends != ends_ || watcher.bookmarks != bookmarks_;
    });
  }
  --running_watches_;
  if (!status.ok()) return status;
  return HttpAnswer{200, {}, {}};
}

FakeKube::Json FakeKube::Put(const std::string& target, Json object) {
  const std::lock_guard lock(mu_);
  FakeKubeObjects::Target where = *FakeKubeObjects::ParseTarget(target);
  object["metadata"]["name"] = where.name;
  FakeKubeObjects::Answer answer = objects_.Get(where);
  answer = answer.code == 200 ? objects_.Replace(where, std::move(object))
                              : objects_.Create(where, std::move(object));
  changed_.notify_all();
  return answer.body;
}

void FakeKube::Remove(const std::string& target) {
  const std::lock_guard lock(mu_);
  objects_.Delete(*FakeKubeObjects::ParseTarget(target), Json::object());
  changed_.notify_all();
}

FakeKube::Json FakeKube::Read(const std::string& target) {
  const std::lock_guard lock(mu_);
  const FakeKubeObjects::Answer answer = objects_.Get(*FakeKubeObjects::ParseTarget(target));
  return answer.code == 200 ? answer.body : Json();
}

void FakeKube::CutWatches() {
  const std::lock_guard lock(mu_);
  ++cuts_;
  changed_.notify_all();
}

void FakeKube::EndWatches() {
  const std::lock_guard lock(mu_);
  ++ends_;
  changed_.notify_all();
}

void FakeKube::SendBookmarks() {
  const std::lock_guard lock(mu_);
  ++bookmarks_;
  changed_.notify_all();
}

void FakeKube::Compact() {
  const std::lock_guard lock(mu_);
  objects_.Compact();
}

std::vector<std::string> FakeKube::requests() {
  const std::lock_guard lock(mu_);
  return requests_;
}

int FakeKube::running_watches() {
  const std::lock_guard lock(mu_);
  return running_watches_;
}

}  // namespace etcd::testing
