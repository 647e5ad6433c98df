#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/api/http/peer_handler.h"
#include "server/base/check.h"
#include "tests/fuzz/target.h"
#include "tests/support/collecting_responder.h"
#include "tests/support/sim_member.h"

// What peers ask outside of /raft: "METHOD TARGET\n", header lines "name:value\n", an empty line,
// and the body. Each request gets exactly one answer, and the member goes on serving.
namespace etcd::fuzz {
namespace {

using testing::CollectingResponder;

class Member {
 public:
  Member() : member_(1) {
    CHECK(member_.Boot().ok()) << "no member";
    base::Executor& executor = member_.scheduler.NewExecutor();
    handler_ = api::http::MakePeerHandler({.node = *member_,
                                           .store = member_->store(),
                                           .lessor = member_->lessor(),
                                           .background = executor,
                                           .bulk = executor,
                                           .server_version = "3.6.16"});
  }
  ~Member() {
    handler_.reset();
    member_.Stop();
  }

  int Ask(base::HttpRequest request) {
    const auto responder = std::make_shared<CollectingResponder>();
    handler_->Start(std::move(request), responder);
    CHECK(member_.WaitFor([&] { return responder->ended; })) << "no answer";
    CHECK(!member_.fatal().has_value()) << *member_.fatal();
    return responder->status;
  }

 private:
  testing::SimMember member_;
  std::unique_ptr<base::HttpHandler> handler_;
};

std::string_view TakeLine(std::string_view& in) {
  const std::size_t end = std::min(in.find('\n'), in.size());
  const std::string_view line = in.substr(0, end);
  in.remove_prefix(std::min(end + 1, in.size()));
  return line;
}

base::HttpRequest Parse(std::string_view in) {
  base::HttpRequest request;
  const std::string_view first = TakeLine(in);
  const std::size_t space = std::min(first.find(' '), first.size());
  request.method = first.substr(0, space);
  request.target = first.substr(std::min(space + 1, first.size()));
  request.path = request.target.substr(0, request.target.find('?'));
  while (!in.empty()) {
    const std::string_view line = TakeLine(in);
    if (line.empty()) break;
    const std::size_t colon = std::min(line.find(':'), line.size());
    request.headers.emplace_back(line.substr(0, colon),
                                 line.substr(std::min(colon + 1, line.size())));
  }
  request.body = in;
  return request;
}

}  // namespace

std::vector<std::string> Seeds() {
  using std::string_literals::operator""s;
  return {"GET /members\n\n",
          "GET /members/hashkv?x=1\nx-etcd-cluster-id:77\n\n{\"revision\":1}",
          "GET /members/hashkv\n\n{\"revision\":0,\"other\":[1,{}]}",
          "POST /members/promote/17\n\n",
          "POST /members/promote/18446744073709551615\n\n",
          "GET /version\n\n",
          "POST /leases\n\n\x08\x05",
          "POST /leases/internal\n\n\x0a\x04\x08\x05\x10\x01",
          "GET /downgrade/enabled\n\n",
          "PUT /unknown\n\n"};
}

}  // namespace etcd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static int runs = 0;
  static std::unique_ptr<etcd::fuzz::Member> member;
  // A new one now and then: a member that keeps everything of many hours is no case of its own.
  if (runs++ % 5000 == 0) member = std::make_unique<etcd::fuzz::Member>();
  const int status = member->Ask(etcd::fuzz::Parse({reinterpret_cast<const char*>(data), size}));
  CHECK(status >= 200 && status < 600) << status;
  if (runs % 500 == 0) {
    CHECK(member->Ask(etcd::fuzz::Parse("GET /members\n\n")) == 200) << "it stopped serving";
  }
  return 0;
}
