// MassTransit on the work of bench/mediator and bench/memory. Usage: bench <mediator|memory> <count>; the last line is {"value": per second}.
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

var scenario = args.Length > 0 ? args[0] : "mediator";
var count = args.Length > 1 ? int.Parse(args[1]) : 20_000;
var payload = new string('x', 200);

HostApplicationBuilder NewHost()
{
    var builder = Host.CreateApplicationBuilder();
    builder.Logging.ClearProviders();
    return builder;
}

async Task Measure(Func<int, Task> run)
{
    await run(Math.Max(1, count / 10));
    await run(Math.Max(1, count / 10));
    var watch = Stopwatch.StartNew();
    await run(count);
    Console.WriteLine(JsonSerializer.Serialize(new { value = count / watch.Elapsed.TotalSeconds }));
}

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

switch (scenario)
{
    case "mediator": await Mediate(); return 0;
    case "memory": await InMemory(); return 0;
    default: Console.Error.WriteLine($"There is no scenario \"{scenario}\""); return 2;
}

public class BenchConsumer : IConsumer<BenchMessage>
{
    static int left;
    static TaskCompletionSource done = new();
    public static Task Done => done.Task;
    public static void Expect(int n)
    {
        done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref left, n);
    }
    public Task Consume(ConsumeContext<BenchMessage> context)
    {
        if (Interlocked.Decrement(ref left) == 0) done.TrySetResult();
        return Task.CompletedTask;
    }
}

namespace Bench
{
    public record BenchMessage(Guid Id, string Payload, long Stamp);
}
