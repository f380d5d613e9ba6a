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

package io.callosum.server;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.callosum.client.CallosumClient;

import static com.tngtech.archunit.base.DescribedPredicate.anyElementThat;
import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.core.domain.properties.HasModifiers.Predicates.modifier;
import static com.tngtech.archunit.lang.conditions.ArchConditions.be;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for which packages may depend on which.
 *
 * @author The Callosum authors
 */
@AnalyzeClasses(packages = "io.callosum", importOptions = DoNotIncludeTests.class)
class ArchitectureTests {

	@ArchTest
	static final ArchRule theTransportUsesNeitherHalf = noClasses().that()
		.resideInAPackage("io.callosum.transport..")
		.should()
		.dependOnClassesThat(resideInAPackage("io.callosum..").and(not(resideInAPackage("io.callosum.transport.."))));

	@ArchTest
	static final ArchRule theServerDoesNotUseTheClient = noClasses().that()
		.resideInAPackage("io.callosum.server..")
		.should()
		.dependOnClassesThat()
		.resideInAPackage("io.callosum.client..");

	@ArchTest
	static final ArchRule theClientDoesNotUseTheServer = noClasses().that()
		.resideInAPackage("io.callosum.client..")
		.should()
		.dependOnClassesThat()
		.resideInAPackage("io.callosum.server..")
		.allowEmptyShould(true);

	@ArchTest
	static final ArchRule thePartsHaveNoCycle = slices().matching("io.callosum.(*)..").should().beFreeOfCycles();

	@ArchTest
	static final ArchRule nobodyElseUsesTheTransport = classes().that()
		.resideInAPackage("io.callosum.transport..")
		.should()
		.onlyHaveDependentClassesThat()
		.resideInAnyPackage("io.callosum.transport..", "io.callosum.server..", "io.callosum.client..",
				"io.callosum.autoconfigure..");

	@ArchTest
	static final ArchRule noUserSeesTheTransport = noMethods().that()
		.arePublic()
		.and()
		.areDeclaredInClassesThat(resideOutsideOfPackage("io.callosum.transport..").and(modifier(JavaModifier.PUBLIC)))
		.should()
		.haveRawReturnType(resideInAPackage("io.callosum.transport.."))
		.orShould()
		.haveRawParameterTypes(anyElementThat(resideInAPackage("io.callosum.transport..")));

	@ArchTest
	static final ArchRule theServerDoesNotKnowItsAutoConfiguration = noClasses().that()
		.resideInAPackage("io.callosum.server")
		.should()
		.dependOnClassesThat()
		.resideInAnyPackage("io.callosum.server.autoconfigure..", "org.springframework.boot..");

	@ArchTest
	static final ArchRule theServerUsesNothingButWhatItNeeds = classes().that()
		.resideInAPackage("io.callosum.server")
		.should()
		.onlyDependOnClassesThat()
		.resideInAnyPackage("io.callosum.server", "io.callosum.transport", "java..", "javax..", "jdk.net..",
				"io.netty..", "reactor..", "org.springframework.core..", "org.springframework.util..",
				"org.springframework.context..", "org.jspecify..", "org.reactivestreams..",
				"org.apache.commons.logging..");

	@ArchTest
	static final ArchRule theAutoConfigurationDoesNotKnowTheActuator = noClasses().that()
		.resideInAPackage("io.callosum.server.autoconfigure")
		.should()
		.dependOnClassesThat()
		.resideInAnyPackage("io.callosum.server.autoconfigure.actuate..", "org.springframework.boot.actuate..",
				"io.micrometer..");

	@ArchTest
	static final ArchRule whatTheAutoConfigurationsShareKnowsNeitherHalf = noClasses().that()
		.resideInAPackage("io.callosum.autoconfigure")
		.should()
		.dependOnClassesThat()
		.resideInAnyPackage("io.callosum.server..", "io.callosum.client..");

	/**
	 * Applications are compiled against that type, so an inherited method must not return
	 * another one. Reflection cannot call methods that only a package-private class
	 * declares.
	 */
	@ParameterizedTest
	@ValueSource(classes = { CallosumServer.Builder.class, CallosumClient.Builder.class })
	void eachSetterOfABuilderReturnsTheTypeOfTheBuilder(Class<?> builder) throws NoSuchMethodException {
		for (Method setter : builder.getMethods()) {
			if (setter.getDeclaringClass() != Object.class && !setter.getName().equals("build")) {
				Method called = builder.getMethod(setter.getName(), setter.getParameterTypes());
				assertThat(called.getReturnType()).as("%s", setter).isEqualTo(builder);
				assertThat(called.getDeclaringClass()).as("%s", setter).isPublic();
			}
		}
	}

	@ArchTest
	static final ArchRule everyPackageIsNullMarked = classes().should()
		.resideInAPackage("io.callosum..")
		.andShould(be(inANullMarkedPackage()));

	/**
	 * Types that can reach each other can only be understood together.
	 */
	@ArchTest
	static void fewTypesOfTheServerCanReachEachOther(JavaClasses classes) {
		Map<String, Set<String>> uses = new TreeMap<>();
		for (JavaClass type : classes) {
			if (type.getPackageName().equals("io.callosum.server")) {
				type.getDirectDependenciesFromSelf()
					.stream()
					.map((dependency) -> dependency.getTargetClass().getBaseComponentType())
					.filter((target) -> target.getPackageName().equals("io.callosum.server"))
					.forEach((target) -> uses.computeIfAbsent(topLevel(type), (name) -> new TreeSet<>())
						.add(topLevel(target)));
			}
		}
		List<String> knot = uses.keySet()
			.stream()
			.filter((type) -> uses.get(type)
				.stream()
				.anyMatch((used) -> !used.equals(type) && reachable(uses, used).contains(type)))
			.toList();
		assertThat(knot).hasSizeLessThanOrEqualTo(15);
	}

	@Test
	void noClassIsTooLongToRead() throws IOException {
		// These include all setters and their Javadoc
		Set<String> withSetters = Set.of("CallosumServer.java", "CallosumServerProperties.java", "CallosumClient.java");
		try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
			List<Path> sources = files.filter((file) -> file.toString().endsWith(".java")).toList();
			assertThat(sources).isNotEmpty().allSatisfy((file) -> {
				boolean setters = withSetters.contains(file.getFileName().toString());
				assertThat(Files.readAllLines(file)).as(file.toString()).hasSizeLessThanOrEqualTo(setters ? 600 : 500);
			});
		}
	}

	private static String topLevel(JavaClass type) {
		return type.getEnclosingClass().map(ArchitectureTests::topLevel).orElseGet(type::getSimpleName);
	}

	private static Set<String> reachable(Map<String, Set<String>> uses, String from) {
		Set<String> reached = new TreeSet<>();
		Deque<String> next = new ArrayDeque<>(List.of(from));
		while (!next.isEmpty()) {
			String type = next.pop();
			if (reached.add(type)) {
				next.addAll(uses.getOrDefault(type, Set.of()));
			}
		}
		return reached;
	}

	private static DescribedPredicate<JavaClass> inANullMarkedPackage() {
		return DescribedPredicate.describe("in a @NullMarked package", (type) -> {
			JavaPackage javaPackage = type.getPackage();
			return javaPackage.tryGetPackageInfo().isPresent()
					&& javaPackage.getPackageInfo().isAnnotatedWith(NullMarked.class);
		});
	}

}
