// The saga of bench/saga: two events, which may come in either order, and two transitions.
using MassTransit;

namespace Bench
{
    public record Submitted(Guid CorrelationId) : CorrelatedBy<Guid>;
    public record Paid(Guid CorrelationId) : CorrelatedBy<Guid>;

    public class OrderState : SagaStateMachineInstance
    {
        public Guid CorrelationId { get; set; }
        public string CurrentState { get; set; } = "";
    }

    public class OrderMachine : MassTransitStateMachine<OrderState>
    {
        static int left;
        static TaskCompletionSource done = new();
        public static Task Done => done.Task;

        public OrderMachine()
        {
            InstanceState(x => x.CurrentState);
            Event(() => Submitted);
            Event(() => Paid);
            Initially(When(Submitted).TransitionTo(Waiting));
            Initially(When(Paid).TransitionTo(Early));
            During(Early, When(Submitted).Then(_ => Count()).Finalize());
            During(Waiting, When(Paid).Then(_ => Count()).Finalize());
            SetCompletedWhenFinalized();
        }

        public State Waiting { get; set; } = null!;
        public State Early { get; set; } = null!;
        public Event<Submitted> Submitted { get; set; } = null!;
        public Event<Paid> Paid { get; set; } = null!;

        public static void Expect(int n)
        {
            done = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref left, n);
        }
        static void Count()
        {
            if (Interlocked.Decrement(ref left) == 0) done.TrySetResult();
        }
    }
}
