#include "server/net/resolver.h"

#include <algorithm>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/net/running_loop.h"

namespace etcd::net {
namespace {

// Name servers that answer when the test says so. Outlives the lookups, which are not waited for.
class Servers {
 public:
  Resolver::Answer Lookup(const Endpoint& endpoint) {
    std::unique_lock lock(mu_);
    asked_.push_back(endpoint.host);
    changed_.notify_all();
    changed_.wait(lock, [&] { return all_ || std::ranges::count(released_, endpoint.host) > 0; });
    return std::vector<Address>{*LiteralAddress({address_, endpoint.port, {}})};
  }
  void Release(const std::string& host) {
    const std::lock_guard lock(mu_);
    released_.push_back(host);
    changed_.notify_all();
  }
  void ReleaseAll() {
    const std::lock_guard lock(mu_);
    all_ = true;
    changed_.notify_all();
  }
  void MoveTo(const std::string& address) {
    const std::lock_guard lock(mu_);
    address_ = address;
  }
  bool AwaitAsked(std::size_t count) {
    std::unique_lock lock(mu_);
    return changed_.wait_for(lock, std::chrono::seconds(20),
                             [&] { return asked_.size() >= count; });
  }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mu_);
    return asked_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<std::string> asked_;
  std::vector<std::string> released_;
  bool all_ = false;
  std::string address_ = "127.0.0.1";
};

class Resolving : public RunningLoop {
 protected:
  Resolving() {
    resolver = std::make_unique<Resolver>(
        loop.mailbox(), [servers = servers](const Endpoint& e) { return servers->Lookup(e); },
        /*threads_max=*/2);
  }
  ~Resolving() override {
    servers->ReleaseAll();
    OnLoop([&] { resolver = nullptr; });
  }
  // The text of the first address.
  std::future<std::string> Ask(const std::string& host) {
    auto told = std::make_shared<std::promise<std::string>>();
    OnLoop([&] {
      resolver->Ask({host, "1", {}}, [told](const Resolver::Answer& answer) {
        told->set_value(ToText(answer->front()));
      });
    });
    return told->get_future();
  }

  const std::shared_ptr<Servers> servers = std::make_shared<Servers>();
  std::unique_ptr<Resolver> resolver;
};

TEST_F(Resolving, OneNameDoesNotHoldUpAnother) {
  auto slow = Ask("slow");
  auto fast = Ask("fast");
  servers->Release("fast");
  EXPECT_EQ(fast.get(), "127.0.0.1:1");
  servers->Release("slow");
  EXPECT_EQ(slow.get(), "127.0.0.1:1");
}

TEST_F(Resolving, ANameThatMovedIsFoundAtTheNextQuestion) {
  servers->ReleaseAll();
  EXPECT_EQ(Ask("a").get(), "127.0.0.1:1");
  servers->MoveTo("127.0.0.2");
  EXPECT_EQ(Ask("a").get(), "127.0.0.2:1");
}

TEST_F(Resolving, QuestionsForOneNameShareTheAnswer) {
  auto first = Ask("a");
  ASSERT_TRUE(servers->AwaitAsked(1));
  auto second = Ask("a");
  servers->ReleaseAll();
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(servers->asked().size(), 1U);
}

TEST_F(Resolving, LookupsAtATimeAreBoundedAndTheRestFollows) {
  auto a = Ask("a");
  auto b = Ask("b");
  auto c = Ask("c");
  ASSERT_TRUE(servers->AwaitAsked(2));
  EXPECT_EQ(servers->asked().size(), 2U);
  servers->Release("a");
  a.get();
  ASSERT_TRUE(servers->AwaitAsked(3));
  servers->ReleaseAll();
  EXPECT_EQ(c.get(), "127.0.0.1:1");
}

// Nothing waits for a name server that does not answer.
TEST(ResolverAtTheEnd, DoesNotWaitForWhatIsUnderWay) {
  const auto servers = std::make_shared<Servers>();
  bool told = false;
  {
    Loop loop(4096);
    loop.Start("test");
    Resolver resolver(loop.mailbox(), [servers](const Endpoint& e) { return servers->Lookup(e); });
    loop.mailbox()->Post([&] {
      resolver.Ask({"a", "1", {}}, [&](const Resolver::Answer&) { told = true; });
    });
    ASSERT_TRUE(servers->AwaitAsked(1));
    loop.Join();
  }
  servers->ReleaseAll();
  EXPECT_FALSE(told);
}

}  // namespace
}  // namespace etcd::net
