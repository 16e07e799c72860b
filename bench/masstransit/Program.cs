// MassTransit on the work of bench/mediator, bench/memory, bench/saga and bench/rabbitmq. Usage: bench <scenario> <count>; the last line is {"value"}.
// mediator, memory, rabbitmq, rabbitmq-rpc: per second; saga: transitions per second; rabbitmq-cpu: microseconds per message; rabbitmq-p99: milliseconds at 1,000 a second;
// rabbitmq-start: milliseconds from the start of the process to the first message.
using System.Diagnostics;
using System.Text.Json;
using MassTransit;
using Bench;
using Host = Microsoft.Extensions.Hosting.Host;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

const int Publishers = 100;
// The prefetch at which its in-memory transport is fastest here: at 1000 it does a third.
const ushort Prefetch = 16;
// As on the other side.
const ushort RabbitPrefetch = 1000;
const int Requesters = 64;

var scenario = args.Length > 0 ? args[0] : "mediator";
var count = args.Length > 1 ? int.Parse(args[1]) : 20_000;
var payload = new string('x', 200);

HostApplicationBuilder NewHost()
{
    var builder = Host.CreateApplicationBuilder();
    builder.Logging.ClearProviders();
    return builder;
}

// Over the broker both sides warm up with as much as is measured: twice one in two.
async Task Measure(Func<int, Task> run, int oneIn = 10)
{
    await run(Math.Max(1, count / oneIn));
    await run(Math.Max(1, count / oneIn));
    var watch = Stopwatch.StartNew();
    await run(count);
    Value(count / watch.Elapsed.TotalSeconds);
}

void Value(double value) => Console.WriteLine(JsonSerializer.Serialize(new { value }));

async Task Mediate()
{
    var builder = NewHost();
    builder.Services.AddMediator(x => x.AddConsumer<BenchConsumer>());
    using var host = builder.Build();
    await host.StartAsync();
    var mediator = host.Services.GetRequiredService<MassTransit.Mediator.IMediator>();
    await Measure(async n =>
    {
        BenchConsumer.Expect(n);
        for (var i = 0; i < n; i++) await mediator.Send(new BenchMessage(Guid.Empty, payload, 0));
        await BenchConsumer.Done;
    });
}

async Task InMemory()
{
    var builder = NewHost();
    builder.Services.AddMassTransit(x =>
    {
        x.AddConsumer<BenchConsumer>();
        x.UsingInMemory((context, configure) =>
        {
            configure.PrefetchCount = Prefetch;
            configure.ConfigureEndpoints(context);
        });
    });
    builder.Services.AddOptions<MassTransitHostOptions>().Configure(o => o.WaitUntilStarted = true);
    using var host = builder.Build();
    await host.StartAsync();
    var bus = host.Services.GetRequiredService<IBus>();
    await Measure(async n =>
    {
        BenchConsumer.Expect(n);
        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(async first =>
        {
            for (var i = first; i < n; i += Publishers)
                await bus.Publish(new BenchMessage(NewId.NextGuid(), payload, 0));
        }));
        await BenchConsumer.Done;
    });
    await host.StopAsync();
}

async Task Saga()
{
    var builder = NewHost();
    builder.Services.AddMassTransit(x =>
    {
        x.AddSagaStateMachine<OrderMachine, OrderState>().InMemoryRepository();
        x.UsingInMemory((context, configure) =>
        {
            configure.PrefetchCount = Prefetch;
            configure.ConfigureEndpoints(context);
        });
    });
    builder.Services.AddOptions<MassTransitHostOptions>().Configure(o => o.WaitUntilStarted = true);
    using var host = builder.Build();
    await host.StartAsync();
    var bus = host.Services.GetRequiredService<IBus>();
    await Measure(async n =>
    {
        OrderMachine.Expect(n / 2);
        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(async first =>
        {
            for (var i = first; i < n / 2; i += Publishers)
            {
                var id = NewId.NextGuid();
                await bus.Publish(new Submitted(id));
                await bus.Publish(new Paid(id));
            }
        }));
        await OrderMachine.Done;
    });
    await host.StopAsync();
}

async Task<IHost> Rabbit(Action<IBusRegistrationConfigurator> register)
{
    var builder = NewHost();
    builder.Services.AddMassTransit(x =>
    {
        register(x);
        x.SetKebabCaseEndpointNameFormatter();
        x.UsingRabbitMq((context, configure) =>
        {
            configure.Host("127.0.0.1", "/", host => { host.Username("guest"); host.Password("guest"); host.PublisherConfirmation = true; });
            configure.PrefetchCount = RabbitPrefetch;
            configure.ConfigureEndpoints(context);
        });
    });
    builder.Services.AddOptions<MassTransitHostOptions>().Configure(o => o.WaitUntilStarted = true);
    var host = builder.Build();
    await host.StartAsync();
    return host;
}

async Task AtFullSpeed(IBus bus, int n)
{
    BenchConsumer.Expect(n);
    await Task.WhenAll(Enumerable.Range(0, Publishers).Select(async first =>
    {
        for (var i = first; i < n; i += Publishers)
            await bus.Publish(new BenchMessage(NewId.NextGuid(), payload, 0));
    }));
    await BenchConsumer.Done;
}

async Task OverRabbit(bool cpu)
{
    using var host = await Rabbit(x => x.AddConsumer<BenchConsumer>());
    var bus = host.Services.GetRequiredService<IBus>();
    Task Run(int n) => AtFullSpeed(bus, n);
    if (!cpu) await Measure(Run, 2);
    else
    {
        await Run(Math.Max(1, count / 2));
        await Run(Math.Max(1, count / 2));
        var before = Process.GetCurrentProcess().TotalProcessorTime;
        await Run(count);
        Value((Process.GetCurrentProcess().TotalProcessorTime - before).TotalMicroseconds / count);
    }
    await host.StopAsync();
}

async Task Paced()
{
    using var host = await Rabbit(x => x.AddConsumer<BenchConsumer>());
    var bus = host.Services.GetRequiredService<IBus>();
    // As on the other side: what is compiled while messages are timed holds them up.
    for (var i = 0; i < 2; i++) await AtFullSpeed(bus, 3 * count);
    foreach (var n in new[] { Math.Max(1, count / 5), count })
    {
        BenchConsumer.Expect(n);
        var watch = Stopwatch.StartNew();
        for (var i = 0; i < n; i++)
        {
            while (watch.Elapsed.TotalMilliseconds < i) await Task.Delay(1);
            _ = bus.Publish(new BenchMessage(NewId.NextGuid(), payload, Stopwatch.GetTimestamp()));
        }
        await BenchConsumer.Done;
    }
    var sorted = BenchConsumer.Latencies.OrderBy(x => x).ToArray();
    Value(sorted[(int)(sorted.Length * 0.99)]);
    await host.StopAsync();
}

async Task Requests()
{
    using var host = await Rabbit(x => { x.AddConsumer<PingConsumer>(); x.AddRequestClient<Ping>(); });
    await Measure(n => Task.WhenAll(Enumerable.Range(0, Requesters).Select(async first =>
    {
        using var scope = host.Services.CreateScope();
        var client = scope.ServiceProvider.GetRequiredService<IRequestClient<Ping>>();
        for (var i = first; i < n; i += Requesters) await client.GetResponse<Pong>(new Ping(i));
    })), 2);
    await host.StopAsync();
}

async Task First()
{
    using var host = await Rabbit(x => x.AddConsumer<BenchConsumer>());
    BenchConsumer.Expect(1);
    await host.Services.GetRequiredService<IBus>().Publish(new BenchMessage(Guid.Empty, payload, 0));
    await BenchConsumer.Done;
    Value((DateTime.Now - Process.GetCurrentProcess().StartTime).TotalMilliseconds);
    await host.StopAsync();
}

switch (scenario)
{
    case "mediator": await Mediate(); return 0;
    case "memory": await InMemory(); return 0;
    case "saga": await Saga(); return 0;
    case "rabbitmq": await OverRabbit(cpu: false); return 0;
    case "rabbitmq-cpu": await OverRabbit(cpu: true); return 0;
    case "rabbitmq-p99": await Paced(); return 0;
    case "rabbitmq-rpc": await Requests(); return 0;
    case "rabbitmq-start": await First(); return 0;
    default: Console.Error.WriteLine($"There is no scenario \"{scenario}\""); return 2;
}

public class BenchConsumer : IConsumer<BenchMessage>
{
    static int left;
    static int index;
    static TaskCompletionSource done = new();
    public static Task Done => done.Task;
    public static double[] Latencies { get; private set; } = [];
    public static void Expect(int n)
    {
        Latencies = new double[n];
        index = 0;
        done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref left, n);
    }
    public Task Consume(ConsumeContext<BenchMessage> context)
    {
        if (context.Message.Stamp != 0)
        {
            var i = Interlocked.Increment(ref index) - 1;
            if (i < Latencies.Length) Latencies[i] = Stopwatch.GetElapsedTime(context.Message.Stamp).TotalMilliseconds;
        }
        if (Interlocked.Decrement(ref left) == 0) done.TrySetResult();
        return Task.CompletedTask;
    }
}

public class PingConsumer : IConsumer<Ping>
{
    public Task Consume(ConsumeContext<Ping> context) => context.RespondAsync(new Pong(context.Message.Value));
}

namespace Bench
{
    public record BenchMessage(Guid Id, string Payload, long Stamp);
    public record Ping(int Value);
    public record Pong(int Value);
}
