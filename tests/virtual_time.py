"""An event loop whose clock goes on only while nothing else is to be done, and then at once to what is due next."""

import asyncio
import selectors
import typing as t


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` may be set forward, as where other programs have the machine for a while."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Idle(self))

    def time(self) -> float:
        return self.now


class _Idle(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> t.Any:
        if timeout is None:
            raise RuntimeError("nothing is due any more: this would hang")
        self._loop.now += timeout
        return super().select(0)


def run[T](main: t.Coroutine[t.Any, t.Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
