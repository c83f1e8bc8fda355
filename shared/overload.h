// std::visit over named lambdas: std::visit(Overload{[](const A&) {...}, [](const B&) {...}}, variant).
#pragma once

namespace pipekit {

template <class... Ts>
struct Overload : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overload(Ts...) -> Overload<Ts...>;  // clang 14 needs it

}  // namespace pipekit
