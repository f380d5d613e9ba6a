/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.benchmark;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import javax.sql.DataSource;

import com.zaxxer.hikari.HikariDataSource;
import io.netty.handler.codec.LineBasedFrameDecoder;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

import io.callosum.server.CallosumServer;

/**
 * How many requests a blocking and a non-blocking handler answer with a pool of JDBC
 * connections. Each client sends one request after another.
 *
 * @author The Callosum authors
 */
public final class HandlerBenchmark {

	private static final int CLIENTS = 200;

	private static final int REQUESTS = 100;

	private static final int DATABASE_CONNECTIONS = 50;

	private static final long DATABASE_MILLIS = 2;

	private final Settings settings;

	private final Report report;

	HandlerBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		Map<Handler, List<Double>> perSecond = new EnumMap<>(Handler.class);
		try (HikariDataSource database = createDatabase()) {
			// The first round warms up
			for (int round = -1; round < this.settings.handlerRounds(); round++) {
				for (Handler handler : Handler.values()) {
					double measured = measure(handler, database);
					if (round >= 0) {
						perSecond.computeIfAbsent(handler, (absent) -> new ArrayList<>()).add(measured);
					}
				}
			}
		}
		catch (SQLException ex) {
			throw new IllegalStateException(ex);
		}
		List<List<String>> rows = new ArrayList<>();
		List<Map<String, Object>> results = new ArrayList<>();
		rows.add(List.of("handler", "requests/s"));
		perSecond.forEach((handler, values) -> {
			Summary requests = Summary.of(values);
			rows.add(List.of(handler.title, requests.format(0)));
			Map<String, Object> result = new LinkedHashMap<>();
			result.put("handler", handler.toString());
			result.put("requestsPerSecond", requests.toJson());
			results.add(result);
		});
		this.report.table("Requests to a database: " + CLIENTS + " connections with " + REQUESTS + " requests each, "
				+ this.settings.handlerRounds() + " rounds, median (min .. max)", rows);
		this.report.json("handler", results);
	}

	private static HikariDataSource createDatabase() throws SQLException {
		HikariDataSource database = new HikariDataSource();
		database.setJdbcUrl("jdbc:h2:mem:handler");
		database.setMaximumPoolSize(DATABASE_CONNECTIONS);
		try (Connection connection = database.getConnection(); Statement statement = connection.createStatement()) {
			statement.execute("CREATE ALIAS ANSWER FOR '" + HandlerBenchmark.class.getName() + ".answer'");
		}
		return database;
	}

	/**
	 * What the database does for each request.
	 */
	public static String answer(String line) throws InterruptedException {
		Thread.sleep(DATABASE_MILLIS);
		return line + "\n";
	}

	private double measure(Handler handler, DataSource database) {
		ExecutorService threads = Executors.newCachedThreadPool();
		CallosumServer.Builder builder = CallosumServer.builder().host("127.0.0.1").port(0);
		CallosumServer server = handler.handle(builder, database, threads).build();
		server.start();
		try {
			List<Socket> sockets = new ArrayList<>();
			for (int i = 0; i < CLIENTS; i++) {
				sockets.add(new Socket("127.0.0.1", server.address().getPort()));
			}
			long start = System.nanoTime();
			List<Future<?>> ends = new ArrayList<>();
			for (Socket socket : sockets) {
				ends.add(threads.submit(() -> {
					ask(socket);
					return null;
				}));
			}
			for (Future<?> end : ends) {
				end.get();
			}
			return CLIENTS * REQUESTS * 1e9 / (System.nanoTime() - start);
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
		finally {
			server.stop();
			threads.shutdownNow();
		}
	}

	private static void ask(Socket socket) throws IOException {
		try (socket) {
			BufferedReader reader = new BufferedReader(
					new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
			reader.readLine();
			byte[] request = "request\n".getBytes(StandardCharsets.US_ASCII);
			for (int i = 0; i < REQUESTS; i++) {
				socket.getOutputStream().write(request);
				if (!"request".equals(reader.readLine())) {
					throw new IOException("No answer");
				}
			}
		}
	}

	private static String find(DataSource database, String line) {
		try (Connection connection = database.getConnection();
				PreparedStatement statement = connection.prepareStatement("SELECT ANSWER(?)")) {
			statement.setString(1, line);
			try (ResultSet result = statement.executeQuery()) {
				result.next();
				return result.getString(1);
			}
		}
		catch (SQLException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * How a server answers.
	 */
	private enum Handler {

		BLOCKING("BlockingConnectionHandler") {
			@Override
			CallosumServer.Builder handle(CallosumServer.Builder builder, DataSource database,
					ExecutorService threads) {
				return builder.blockingConnectionHandler((connection) -> {
					OutputStream out = connection.outputStream();
					new BufferedReader(new InputStreamReader(connection.inputStream(), StandardCharsets.US_ASCII))
						.lines()
						.forEach((line) -> write(out, find(database, line)));
				}, null);
			}
		},

		REACTIVE("ConnectionHandler with a scheduler") {
			@Override
			CallosumServer.Builder handle(CallosumServer.Builder builder, DataSource database,
					ExecutorService threads) {
				Scheduler scheduler = Schedulers.fromExecutor(threads);
				return builder.connectionHandler((connection) -> connection.outbound()
					.sendString(connection.inbound()
						.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(100)))
						.receive()
						.asString()
						.concatMap((line) -> Mono.fromCallable(() -> find(database, line)).subscribeOn(scheduler))));
			}
		};

		private final String title;

		Handler(String title) {
			this.title = title;
		}

		abstract CallosumServer.Builder handle(CallosumServer.Builder builder, DataSource database,
				ExecutorService threads);

		private static void write(OutputStream out, String answer) {
			try {
				out.write(answer.getBytes(StandardCharsets.US_ASCII));
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

	}

}
