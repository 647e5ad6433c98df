#include "tests/simulation/fibers.h"

#include <cstdint>
#include <sys/mman.h>
#include <ucontext.h>
#include <utility>

#include "server/base/check.h"

namespace etcd::simulation {
namespace {

constexpr std::size_t kStackBytes = 1 << 20;  // of address space; pages come when they are touched
constexpr std::size_t kGuardBytes = 64 << 10;

}  // namespace

struct Fibers::Fiber {
  ucontext_t context{};
  void* stack = nullptr;

  ~Fiber() {
    if (stack != nullptr) munmap(stack, kStackBytes);
  }
};

Fibers::Fibers(std::function<void()> loop)
    : loop_(std::move(loop)), caller_(std::make_unique<Fiber>()), current_(caller_.get()) {}

Fibers::~Fibers() = default;

// makecontext passes integers only: the pointer comes in halves.
void Fibers::Main(unsigned low, unsigned high) {
  const std::uint64_t bits = (std::uint64_t{high} << 32) | low;
  auto* self = reinterpret_cast<Fibers*>(static_cast<std::uintptr_t>(bits));
  self->loop_();
  CHECK(false) << "the loop of a fiber has ended";
}

Fibers::Fiber* Fibers::TakeIdle() {
  if (!idle_.empty()) {
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
  }
  auto fiber = std::make_unique<Fiber>();
  fiber->stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(fiber->stack != MAP_FAILED) << "no memory for a stack";
  CHECK(mprotect(fiber->stack, kGuardBytes, PROT_NONE) == 0) << "no guard below a stack";
  CHECK(getcontext(&fiber->context) == 0) << "getcontext";
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  const auto bits = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this));
  makecontext(&fiber->context, reinterpret_cast<void (*)()>(&Fibers::Main), 2,
              static_cast<unsigned>(bits), static_cast<unsigned>(bits >> 32));
  all_.push_back(std::move(fiber));
  return all_.back().get();
}

void Fibers::SwitchTo(Fiber* next) {
  Fiber* before = std::exchange(current_, next);
  CHECK(swapcontext(&before->context, &next->context) == 0) << "swapcontext";
}

void Fibers::Enter() {
  CHECK(current_ == caller_.get()) << "Enter from the loop";
  SwitchTo(TakeIdle());
}

void Fibers::ReturnToCaller() {
  idle_.push_back(current_);
  SwitchTo(caller_.get());
}

void Fibers::Suspend() {
  CHECK(current_ != caller_.get()) << "Suspend from outside";
  SwitchTo(TakeIdle());
}

void Fibers::Resume(Fiber* fiber) {
  idle_.push_back(current_);
  SwitchTo(fiber);
}

}  // namespace etcd::simulation
